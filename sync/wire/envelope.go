package wire

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/veraison/go-cose"

	"gatehouse/sync/wire/internal/canonical"
)

// MaxMessage is the most that a message may take with its envelope, in bytes.
const MaxMessage = 64 << 10

// Formats is how many formats of messages this package writes and reads: those
// from 1 to this one. A message of format 2 has an envelope of version 2; a type
// that no format has changed stays in envelopes of version 1.
const Formats = BriefFormat

// Formats from 3 on: who parts of many batches are sealed in one context; trust names approvers; it says for how long who parts stay; package briefs.
const (
	ContextFormat   = 3
	ApproverFormat  = 4
	RetentionFormat = 5
	BriefFormat     = 6
)

// Role says what a key is certified for. A signature counts only in its role.
type Role string

// The roles of keys.
const (
	RoleRoot     Role = "root"     // offline; certifies the others
	RoleIssuer   Role = "issuer"   // lists, commands, policy
	RoleWitness  Role = "witness"  // acks and cosignatures
	RoleApprover Role = "approver" // mandates
	RoleOffice   Role = "office"   // sealed answers and records
	RoleGateway  Role = "gateway"  // whatever a gateway says
)

// Why Open refuses an envelope. ErrMalformed means bytes that are no envelope.
var (
	ErrTooLarge     = errors.New("message too large")
	ErrWrongVersion = errors.New("envelope of another version")
	ErrWrongType    = errors.New("message of another type")
	ErrWrongRole    = errors.New("signed in another role")
	ErrWrongAddress = errors.New("message for another address")
	ErrUnknownKey   = errors.New("signed by an unknown key")
	ErrBadSignature = errors.New("signature does not verify")
)

// KeyID is the start of the SHA-256 of an Ed25519 public key. It finds the key;
// the signature proves it.
type KeyID [8]byte

// IDOf returns the id of a public key.
func IDOf(public ed25519.PublicKey) (id KeyID) {
	sum := sha256.Sum256(public)
	copy(id[:], sum[:])
	return id
}

// Key is a public key that is trusted in one role. Epoch counts how often the
// role's keys were replaced: an envelope of another epoch is of an unknown key.
type Key struct {
	Role   Role
	Epoch  uint64
	Public ed25519.PublicKey
}

// Protected is what an envelope says of its payload, under the signature. The
// labels below -65536 are COSE's private range (RFC 9052, section 3.1).
type Protected struct {
	Algorithm int64  `cbor:"1,keyasint"` // -8, EdDSA; set by Sign
	KeyID     KeyID  `cbor:"4,keyasint"` // of the signer; set by Sign
	Type      string `cbor:"-65537,keyasint"`
	Role      Role   `cbor:"-65538,keyasint"`
	Epoch     uint64 `cbor:"-65539,keyasint"` // of the signer's key
	Address   string `cbor:"-65540,keyasint"` // whom it is for or of: building, building/gateway, or registry
	Version   uint64 `cbor:"-65541,keyasint"` // format of the payload; Sign takes 0 as 1
}

// Expect is what the reader of an envelope takes; nothing else passes.
type Expect struct {
	Type    string
	Role    Role
	Address string
	Newest  uint64 // version that the reader understands, with those below; 0: only 1
}

// sign1 has the parts of a COSE_Sign1.
type sign1 struct{ protected, payload, signature []byte }

const sign1Tag = 0xd2

// Sign puts a payload into a COSE_Sign1 envelope (RFC 9052) by an Ed25519 key, here or in a token.
// It fills algorithm and key id of p, and refuses what would exceed MaxMessage.
func Sign(p Protected, payload []byte, key crypto.Signer) ([]byte, error) {
	b, err := sign(p, payload, key)
	if err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	return b, nil
}

func sign(p Protected, payload []byte, key crypto.Signer) ([]byte, error) {
	if k, here := key.(ed25519.PrivateKey); key == nil || here && len(k) != ed25519.PrivateKeySize {
		return nil, errors.New("no Ed25519 key")
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("not an Ed25519 key")
	}
	p.Algorithm, p.KeyID, p.Version = int64(cose.AlgorithmEdDSA), IDOf(public), max(p.Version, 1)
	if err := p.check(); err != nil {
		return nil, err
	}
	header, err := canonical.Marshal(p)
	if err != nil {
		return nil, err
	}
	message, err := message(header, payload)
	if err != nil {
		return nil, err
	}
	signer, err := cose.NewSigner(cose.AlgorithmEdDSA, key)
	if err != nil {
		return nil, err
	}
	if err := message.Sign(nil, nil, signer); err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, len(header)+len(payload)+len(message.Signature)+16), sign1Tag, canonical.Array|4)
	b = canonical.AppendBytes(append(canonical.AppendBytes(b, header), canonical.Map), payload)
	b = canonical.AppendBytes(b, message.Signature)
	if len(b) > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes with its envelope, at most %d", ErrTooLarge, len(b), MaxMessage)
	}
	return b, nil
}

// Open returns the payload of an envelope that is what the reader expects and
// whose signature verifies under one of the keys. Everything in Protected is
// judged before the payload is looked at. Each refusal is one of the errors
// above; the payload is nil with any of them, Protected is filled as far as it
// could be read. The payload shares the bytes of the envelope.
func Open(envelope []byte, expect Expect, keys []Key) ([]byte, Protected, error) {
	var p Protected
	m, err := parse(envelope, &p)
	if err == nil {
		err = p.verify(m, expect, keys)
	}
	if err != nil {
		return nil, p, fmt.Errorf("open envelope: %w", err)
	}
	return m.payload, p, nil
}

// verify judges what the envelope says of itself, then its signature.
func (p Protected) verify(m sign1, expect Expect, keys []Key) error {
	key, err := p.admit(expect, keys)
	if err != nil {
		return err
	}
	signed, err := message(m.protected, m.payload)
	if err != nil {
		return err
	}
	signed.Signature = m.signature
	verifier, err := cose.NewVerifier(cose.AlgorithmEdDSA, key)
	if err != nil {
		return err
	}
	if signed.Verify(nil, verifier) != nil {
		return ErrBadSignature
	}
	return nil
}

func parse(envelope []byte, p *Protected) (m sign1, err error) {
	if len(envelope) > MaxMessage {
		return m, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(envelope), MaxMessage)
	}
	if len(envelope) == 0 || envelope[0] != sign1Tag {
		return m, fmt.Errorf("%w: not a tagged COSE_Sign1", ErrMalformed)
	}
	r := canonical.Reader{B: envelope[1:]}
	r.Literal(canonical.Array | 4)
	m.protected = r.Slice()
	r.Literal(canonical.Map) // the unprotected header is empty
	m.payload = r.Slice()
	m.signature = r.Slice()
	if err := r.Done("COSE_Sign1"); err != nil {
		return m, err
	}
	if len(m.signature) != ed25519.SignatureSize {
		return m, fmt.Errorf("%w: no Ed25519 signature", ErrMalformed)
	}
	if err := canonical.Decode("protected header", m.protected, p); err != nil {
		return m, err
	}
	return m, p.check()
}

func (p Protected) check() error {
	switch {
	case p.Version == 0 || p.Version > Formats:
		return fmt.Errorf("%w: %d, want 1 to %d", ErrWrongVersion, p.Version, Formats)
	case p.Algorithm != int64(cose.AlgorithmEdDSA):
		return fmt.Errorf("%w: algorithm %d, want EdDSA", ErrMalformed, p.Algorithm)
	case !ValidName(p.Type, false), !ValidName(string(p.Role), false), !ValidAddress(p.Address):
		return fmt.Errorf("%w: type, role and address must be [a-z0-9-]{1,32}, an address maybe two of them", ErrMalformed)
	}
	return nil
}

// admit finds the key that may have signed this, where this may be read at all.
func (p Protected) admit(expect Expect, keys []Key) (ed25519.PublicKey, error) {
	switch {
	case p.Version > max(expect.Newest, 1):
		return nil, fmt.Errorf("%w: %d, want %d at most", ErrWrongVersion, p.Version, max(expect.Newest, 1))
	case p.Type != expect.Type:
		return nil, fmt.Errorf("%w: %s, want %s", ErrWrongType, p.Type, expect.Type)
	case p.Role != expect.Role:
		return nil, fmt.Errorf("%w: %s, want %s", ErrWrongRole, p.Role, expect.Role)
	case p.Address != expect.Address:
		return nil, fmt.Errorf("%w: %s, want %s", ErrWrongAddress, p.Address, expect.Address)
	}
	for _, k := range keys {
		if k.Role == p.Role && k.Epoch == p.Epoch && len(k.Public) == ed25519.PublicKeySize && IDOf(k.Public) == p.KeyID {
			return k.Public, nil
		}
	}
	return nil, fmt.Errorf("%w: id %x, epoch %d", ErrUnknownKey, p.KeyID, p.Epoch)
}

// message hands header bytes to the COSE library as they are, so that what is
// verified is what was received.
func message(header, payload []byte) (*cose.Sign1Message, error) {
	raw, err := canonical.Marshal(header)
	if err != nil {
		return nil, err
	}
	m := cose.NewSign1Message()
	m.Headers.RawProtected = raw
	m.Headers.Protected.SetAlgorithm(cose.AlgorithmEdDSA)
	if m.Payload = payload; payload == nil {
		m.Payload = []byte{}
	}
	return m, nil
}

// Read returns what an envelope holds and says of it, whoever signed it: for tools that
// show it, and for those who read back what they signed and stored themselves, maybe
// with a key since replaced. Nothing else may be believed so. Errors are ErrMalformed,
// ErrTooLarge and ErrWrongVersion; Protected is filled as far as it could be read.
func Read(envelope []byte) (payload []byte, p Protected, err error) {
	m, err := parse(envelope, &p)
	return m.payload, p, err
}

// PayloadOf is Read for those who need the payload alone.
func PayloadOf(envelope []byte) ([]byte, error) {
	payload, _, err := Read(envelope)
	if err != nil {
		return nil, fmt.Errorf("read envelope: %w", err)
	}
	return payload, nil
}
