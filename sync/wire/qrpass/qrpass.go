// Package qrpass has the text of a pass: a tenant's phone stands for a card, once and for
// minutes. Its functions are safe for concurrent use.
package qrpass

import (
	"crypto/ed25519"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// ID is a random 64-bit name of one pass. With the pass's From it tells
// passes of a quarter of an hour apart, and no more is asked of it.
type ID [8]byte

// String returns it in hex.
func (p ID) String() string { return hex.EncodeToString(p[:]) }

// Pass lets the phone of a tenant stand for a card, once and for minutes: an
// issuer's word, shown as a QR code and judged with no network. The building is
// the envelope's address.
type Pass struct {
	ID      ID      `cbor:"1,keyasint"`
	Tenancy wire.ID `cbor:"2,keyasint"`
	From    uint32  `cbor:"3,keyasint"` // unix s, inclusive: when it was issued
	Until   uint32  `cbor:"4,keyasint"` // unix s, exclusive; Min to Max after From
}

// How long a pass is good for, in seconds. Both ends refuse what is shorter or
// longer: whoever photographs a pass has minutes, and a gateway has to remember
// the used ones for no longer.
const (
	Min = 60
	Max = 15 * 60
)

// Prefix begins the text of a pass: the envelope in unpadded base32
// follows. All of it is in the alphanumeric set of QR codes (ISO/IEC 18004,
// 7.4.4), which takes 5.5 bits a character where bytes take 8.
const Prefix = "GHP1-"

// MaxText is the length in bytes of the longest text of a pass: that of a
// building of 32 letters and a key of the highest epoch.
const MaxText = 338

var text32 = base32.StdEncoding.WithPadding(base32.NoPadding)

func (p Pass) check() error {
	switch {
	case p.ID == ID{}, p.Tenancy == wire.ID{}, p.From == 0:
		return fmt.Errorf("%w: pass without id, tenancy or time", wire.ErrMalformed)
	case p.Until < p.From || p.Until-p.From < Min || p.Until-p.From > Max:
		return fmt.Errorf("%w: a pass is good for %d to %d s", wire.ErrMalformed, Min, Max)
	}
	return nil
}

// Sign returns the text of a pass for a building, signed by an issuer's key of
// the epoch. It refuses a building that has no valid id, and times that no pass
// may have.
func (p Pass) Sign(building string, epoch uint64, key ed25519.PrivateKey) (string, error) {
	if !wire.ValidName(building, false) {
		return "", fmt.Errorf("sign pass: %w: building %q", wire.ErrMalformed, building)
	}
	if err := p.check(); err != nil {
		return "", fmt.Errorf("sign pass: encode wire.Pass: %w", err)
	}
	payload, err := canonical.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("sign pass: %w", err)
	}
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypePass, Role: wire.RoleIssuer, Epoch: epoch, Address: building}, payload, key)
	if err != nil {
		return "", fmt.Errorf("sign pass: %w", err)
	}
	return Prefix + text32.EncodeToString(envelope), nil
}

// Open returns the pass that a text holds, if one of the keys signed it as
// an issuer's for this building. It reads no clock: whether its minutes are now,
// and whether it was shown before, is for who calls. A text has one spelling:
// no space, no lower case. Errors are those of Open and Decode, and never repeat
// the text, which opens a door.
func Open(text, building string, keys []wire.Key) (Pass, error) {
	envelope, err := envelopeOf(text)
	if err != nil {
		return Pass{}, err
	}
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypePass, Role: wire.RoleIssuer, Address: building}, keys)
	if err != nil {
		return Pass{}, fmt.Errorf("open pass: %w", err)
	}
	return decode(payload)
}

// Read returns what a text says, whoever signed it, and its header: for
// tools that show it. Nothing may be believed or opened by it.
func Read(text string) (p Pass, h wire.Protected, err error) {
	envelope, err := envelopeOf(text)
	if err != nil {
		return Pass{}, h, err
	}
	payload, h, err := wire.Read(envelope)
	if err != nil {
		return Pass{}, h, fmt.Errorf("read pass: %w", err)
	}
	if h.Type != wire.TypePass {
		return Pass{}, h, fmt.Errorf("read pass: %w: %s, want %s", wire.ErrWrongType, h.Type, wire.TypePass)
	}
	p, err = decode(payload)
	return p, h, err
}

func decode(payload []byte) (p Pass, err error) {
	if err := canonical.Decode("wire.Pass", payload, &p); err != nil {
		return Pass{}, fmt.Errorf("open pass: %w", err)
	}
	if err := p.check(); err != nil {
		return Pass{}, fmt.Errorf("open pass: wire.Pass: %w", err)
	}
	return p, nil
}

// envelopeOf undoes the text. What would be written otherwise is refused:
// base32 has bits to spare at its end, and readers of it skip line ends.
func envelopeOf(text string) ([]byte, error) {
	body, ok := strings.CutPrefix(text, Prefix)
	if !ok || len(text) > MaxText {
		return nil, fmt.Errorf("pass: %w: it begins with %s and has at most %d letters", wire.ErrMalformed, Prefix, MaxText)
	}
	envelope, err := text32.DecodeString(body)
	if err != nil || text32.EncodeToString(envelope) != body {
		return nil, fmt.Errorf("pass: %w: a letter is missing or wrong", wire.ErrMalformed)
	}
	return envelope, nil
}
