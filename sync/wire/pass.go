package wire

import (
	"crypto/ed25519"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// PassID is a random 64-bit name of one pass. With the pass's From it tells
// passes of a quarter of an hour apart, and no more is asked of it.
type PassID [8]byte

// String returns it in hex.
func (p PassID) String() string { return hex.EncodeToString(p[:]) }

// Pass lets the phone of a tenant stand for a card, once and for minutes: an
// issuer's word, shown as a QR code and judged with no network. The building is
// the envelope's address.
type Pass struct {
	ID      PassID `cbor:"1,keyasint"`
	Tenancy ID     `cbor:"2,keyasint"`
	From    uint32 `cbor:"3,keyasint"` // unix s, inclusive: when it was issued
	Until   uint32 `cbor:"4,keyasint"` // unix s, exclusive; MinPass to MaxPass after From
}

// How long a pass is good for, in seconds. Both ends refuse what is shorter or
// longer: whoever photographs a pass has minutes, and a gateway has to remember
// the used ones for no longer.
const (
	MinPass = 60
	MaxPass = 15 * 60
)

// PassPrefix begins the text of a pass: the envelope in unpadded base32
// follows. All of it is in the alphanumeric set of QR codes (ISO/IEC 18004,
// 7.4.4), which takes 5.5 bits a character where bytes take 8.
const PassPrefix = "GHP1-"

// MaxPassText is the length in bytes of the longest text of a pass: that of a
// building of 32 letters and a key of the highest epoch.
const MaxPassText = 338

var passText = base32.StdEncoding.WithPadding(base32.NoPadding)

func (p Pass) check() error {
	switch {
	case p.ID == PassID{}, p.Tenancy == ID{}, p.From == 0:
		return fmt.Errorf("%w: pass without id, tenancy or time", ErrMalformed)
	case p.Until < p.From || p.Until-p.From < MinPass || p.Until-p.From > MaxPass:
		return fmt.Errorf("%w: a pass is good for %d to %d s", ErrMalformed, MinPass, MaxPass)
	}
	return nil
}

// Sign returns the text of a pass for a building, signed by an issuer's key of
// the epoch. It refuses a building that has no valid id, and times that no pass
// may have.
func (p Pass) Sign(building string, epoch uint64, key ed25519.PrivateKey) (string, error) {
	if !ValidName(building, false) {
		return "", fmt.Errorf("sign pass: %w: building %q", ErrMalformed, building)
	}
	payload, err := Encode(p)
	if err != nil {
		return "", fmt.Errorf("sign pass: %w", err)
	}
	envelope, err := Sign(Protected{Type: TypePass, Role: RoleIssuer, Epoch: epoch, Address: building}, payload, key)
	if err != nil {
		return "", fmt.Errorf("sign pass: %w", err)
	}
	return PassPrefix + passText.EncodeToString(envelope), nil
}

// OpenPass returns the pass that a text holds, if one of the keys signed it as
// an issuer's for this building. It reads no clock: whether its minutes are now,
// and whether it was shown before, is for who calls. A text has one spelling:
// no space, no lower case. Errors are those of Open and Decode, and never repeat
// the text, which opens a door.
func OpenPass(text, building string, keys []Key) (Pass, error) {
	envelope, err := passEnvelope(text)
	if err != nil {
		return Pass{}, err
	}
	payload, _, err := Open(envelope, Expect{Type: TypePass, Role: RoleIssuer, Address: building}, keys)
	if err != nil {
		return Pass{}, fmt.Errorf("open pass: %w", err)
	}
	return decodePass(payload)
}

// ReadPass returns what a text says, whoever signed it, and its header: for
// tools that show it. Nothing may be believed or opened by it.
func ReadPass(text string) (Pass, Protected, error) {
	var h Protected
	envelope, err := passEnvelope(text)
	if err != nil {
		return Pass{}, h, err
	}
	m, err := parse(envelope, &h)
	if err != nil {
		return Pass{}, h, fmt.Errorf("read pass: %w", err)
	}
	if h.Type != TypePass {
		return Pass{}, h, fmt.Errorf("read pass: %w: %s, want %s", ErrWrongType, h.Type, TypePass)
	}
	p, err := decodePass(m.payload)
	return p, h, err
}

func decodePass(payload []byte) (p Pass, err error) {
	if err := Decode(payload, &p); err != nil {
		return Pass{}, fmt.Errorf("open pass: %w", err)
	}
	return p, nil
}

// passEnvelope undoes the text. What would be written otherwise is refused:
// base32 has bits to spare at its end, and readers of it skip line ends.
func passEnvelope(text string) ([]byte, error) {
	body, ok := strings.CutPrefix(text, PassPrefix)
	if !ok || len(text) > MaxPassText {
		return nil, fmt.Errorf("pass: %w: it begins with %s and has at most %d letters", ErrMalformed, PassPrefix, MaxPassText)
	}
	envelope, err := passText.DecodeString(body)
	if err != nil || passText.EncodeToString(envelope) != body {
		return nil, fmt.Errorf("pass: %w: a letter is missing or wrong", ErrMalformed)
	}
	return envelope, nil
}
