package whos

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// Context seals who parts of one gateway and epoch, each under a key of its own that follows from a
// secret and the entry's sequence number: one that is lost, sent twice or out of order concerns no
// other, and the same entry sealed again is the same bytes. Who has the secret opens all of them.
//
// The secret is what HPKE exports (RFC 9180, section 5.3), with the address of the gateway and the
// epoch as info. The key of an entry (32 bytes) is HKDF-Expand (RFC 5869, SHA-256) of the secret with
// "gatehouse who entry v1", a zero byte and the sequence number (8 bytes, big-endian); its cipher is
// AES-256-GCM with a nonce of zeros, since the key seals one text alone.
type Context struct {
	id           wire.ID
	encapsulated []byte
	secret       []byte // nil: forgotten
}

// Begin makes a context to the records key.
func Begin(records []byte, address string, epoch uint64) (*Context, error) {
	secret, encapsulated, err := sealing.Share(records, sealing.WhoContext, contextPlace(address, epoch))
	if err != nil {
		return nil, fmt.Errorf("begin a context of who parts: %w", err)
	}
	return &Context{IDOf(encapsulated), encapsulated, secret}, nil
}

// Open returns the context of an encapsulated key, with the private records key. One of another
// gateway or epoch opens nothing.
func Open(private []byte, address string, epoch uint64, encapsulated []byte) (*Context, error) {
	key, err := sealing.ReadPrivate(private)
	if err != nil {
		return nil, fmt.Errorf("open a context of who parts: %w", err)
	}
	return open(key, address, epoch, encapsulated)
}

func open(key sealing.PrivateKey, address string, epoch uint64, encapsulated []byte) (*Context, error) {
	secret, err := key.Derive(sealing.WhoContext, contextPlace(address, epoch), encapsulated)
	if err != nil {
		return nil, fmt.Errorf("open a context of who parts: %w", err)
	}
	return &Context{IDOf(encapsulated), slices.Clone(encapsulated), secret}, nil
}

func contextPlace(address string, epoch uint64) string {
	return fmt.Sprintf("%s/%016x", address, epoch)
}

// IDOf returns the id of a context: the first 16 bytes of the SHA-256 of its encapsulated key.
func IDOf(encapsulated []byte) wire.ID {
	sum := sha256.Sum256(encapsulated)
	return wire.ID(sum[:len(wire.ID{})])
}

// Named reads Batch.Context: the id of the context, and its encapsulated key if the batch brings it.
func Named(context []byte) (id wire.ID, encapsulated []byte) {
	if len(context) == len(id) {
		return wire.ID(context), nil
	}
	return IDOf(context), context
}

// ID names the context.
func (c *Context) ID() wire.ID { return c.id }

// Encapsulated is the key that the holder of the private one needs to open the context.
func (c *Context) Encapsulated() []byte { return c.encapsulated }

// Forget overwrites the secret. What was sealed stays shut to whoever has the context.
func (c *Context) Forget() {
	clear(c.secret)
	c.secret = nil
}

// Seal encrypts the who parts of a batch whose first entry has the sequence number first, in
// ascending order of their index.
func (c *Context) Seal(first uint64, parts []Part) ([]byte, error) {
	k, err := c.keys()
	if err != nil {
		return nil, fmt.Errorf("seal who parts: %w", err)
	}
	all := make([]Sealed, len(parts))
	for i, p := range parts {
		aead, err := k.of(first + uint64(p.Index))
		if err != nil {
			return nil, fmt.Errorf("seal who part: %w", err)
		}
		plain := append(append(make([]byte, 0, len(p.Salt)+len(p.Who)), p.Salt[:]...), p.Who...)
		all[i] = Sealed{p.Index, aead.Seal(nil, nonce[:], plain, nil)}
	}
	return Join(all), nil
}

// Unseal opens what Seal made, or those that are left of it.
func (c *Context) Unseal(first uint64, sealed []byte) ([]Part, error) {
	all, err := Split(sealed)
	if err != nil {
		return nil, err
	}
	k, err := c.keys()
	if err != nil {
		return nil, fmt.Errorf("unseal who parts: %w", err)
	}
	return k.unseal(first, all)
}

// unseal opens seals of a batch.
func (k *keys) unseal(first uint64, all []Sealed) ([]Part, error) {
	parts := make([]Part, len(all))
	for i, s := range all {
		aead, err := k.of(first + uint64(s.Index))
		var plain []byte
		if err == nil {
			plain, err = aead.Open(nil, nonce[:], s.Bytes, nil)
		}
		if err != nil {
			return nil, fmt.Errorf("unseal who part of entry %d: %w", first+uint64(s.Index), err)
		}
		parts[i] = Part{Index: s.Index, Salt: [16]byte(plain), Who: plain[len(Part{}.Salt):]}
	}
	return parts, nil
}

// Opener opens who parts as they are stored, with the private records key: in contexts, of which it
// keeps the last one, or sealed at once. For one goroutine.
type Opener struct {
	Records []byte

	key     *sealing.PrivateKey // Records, once it was read
	last    *Context
	address string // last and keys are of this gateway, and of this epoch
	epoch   uint64
	keys    *keys // of last
}

// Parts opens the seals of a batch; encapsulated is the key of their context, empty where they are
// sealed at once.
func (o *Opener) Parts(address string, epoch, first uint64, sealed, encapsulated []byte) ([]Part, error) {
	all, err := Split(sealed)
	switch {
	case len(sealed) == 0, err == nil && len(all) == 0:
		return nil, nil // it names nobody
	case len(encapsulated) == 0:
		return Unseal(o.Records, address, epoch, first, sealed)
	case err == nil:
		err = o.turn(address, epoch, encapsulated)
	}
	if err != nil {
		return nil, err
	}
	return o.keys.unseal(first, all)
}

// turn opens a context, unless it is the last one.
func (o *Opener) turn(address string, epoch uint64, encapsulated []byte) error {
	if o.last != nil && o.address == address && o.epoch == epoch && bytes.Equal(o.last.encapsulated, encapsulated) {
		return nil
	}
	if o.key == nil {
		key, err := sealing.ReadPrivate(o.Records)
		if err != nil {
			return err
		}
		o.key = &key
	}
	c, err := open(*o.key, address, epoch, encapsulated)
	if err != nil {
		return err
	}
	o.last, o.address, o.epoch = c, address, epoch
	o.keys, err = c.keys()
	return err
}

var errForgotten = errors.New("the context was forgotten")

// nonce is that of every entry: a key seals one text alone, since an entry never changes.
var nonce [12]byte

// keys makes the keys of entries. It is for one goroutine.
type keys struct {
	mac hash.Hash // HMAC-SHA256 by the secret
	key []byte
}

func (c *Context) keys() (*keys, error) {
	if c.secret == nil {
		return nil, errForgotten
	}
	return &keys{mac: hmac.New(sha256.New, c.secret)}, nil
}

// of returns the cipher of an entry. HKDF-Expand of no more than one hash is this one HMAC, with a
// count of 1 behind the info; to make it for each entry anew would cost as much as all else.
func (k *keys) of(sequence uint64) (cipher.AEAD, error) {
	info := binary.BigEndian.AppendUint64([]byte("gatehouse who entry v1\x00"), sequence)
	k.mac.Reset()
	k.mac.Write(append(info, 1))
	k.key = k.mac.Sum(k.key[:0])
	defer clear(k.key)
	block, err := aes.NewCipher(k.key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
