package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/device/fault"
	"gatehouse/sync/wire/internal/canonical"
)

// CredentialID is the only form in which a card number is kept or sent: the
// building key's number, then the first 16 bytes of HMAC-SHA256 over the bits.
type CredentialID [17]byte

// String returns it in hex. It names a card within one building only, but it
// is still personal data: print it where a who part may be shown.
func (c CredentialID) String() string { return hex.EncodeToString(c[:]) }

// ParseCredentialID reads a CredentialID as its String writes it.
func ParseCredentialID(text string) (c CredentialID, err error) {
	if err := c.UnmarshalText([]byte(text)); err != nil {
		return CredentialID{}, fmt.Errorf("credential id: %w", err)
	}
	return c, nil
}

// MarshalText returns it in hex.
func (c CredentialID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, c[:]), nil }

// UnmarshalText reads hex of exactly its length.
func (c *CredentialID) UnmarshalText(text []byte) error { return fromHex(c[:], text) }

// named reports whether a credential is of a key: 0 is no key's number, and 255 that of
// the daily key for unknown cards.
func (c CredentialID) named() bool { return c[0] != 0 && c[0] != 255 }

// ID is a random 128-bit name: of a tenancy, of a grant, of a boot.
type ID [16]byte

// String returns it in hex.
func (i ID) String() string { return hex.EncodeToString(i[:]) }

// MarshalText returns it in hex.
func (i ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, i[:]), nil }

// UnmarshalText reads hex of exactly its length.
func (i *ID) UnmarshalText(text []byte) error { return fromHex(i[:], text) }

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// MarshalText returns it in hex.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads hex of exactly its length.
func (h *Hash) UnmarshalText(text []byte) error { return fromHex(h[:], text) }

func fromHex(dst, text []byte) error {
	if len(text) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("%d hex digits, want %d", len(text), hex.EncodedLen(len(dst)))
	}
	_, err := hex.Decode(dst, text)
	return err
}

// Ref names an entry before it has a sequence number: the number of the
// daemon's run on this gateway and the entry's place in it.
type Ref struct {
	_       struct{} `cbor:",toarray"`
	Boot    uint64
	Counter uint64
}

// Header is the part of an entry that says what happened, and nothing of who. It has
// no sequence number or epoch, so that the tail of a restored journal can be appended
// again with the same bytes. Zero fields are left out.
type Header struct {
	Boot      uint64       `cbor:"1,keyasint"`           // number of the daemon's run; the kernel's boot id stands in its boot entry
	Counter   uint64       `cbor:"2,keyasint"`           // from 0 in each run
	BootTime  uint64       `cbor:"3,keyasint"`           // CLOCK_BOOTTIME, ns
	Wall      int64        `cbor:"4,keyasint"`           // the wall clock as it stood, ms since 1970-01-01T00:00:00Z
	Clock     ClockQuality `cbor:"5,keyasint,omitempty"` // how good Wall was
	Kind      Kind         `cbor:"6,keyasint"`
	Outcome   Outcome      `cbor:"7,keyasint,omitempty"`
	Reason    Reason       `cbor:"8,keyasint,omitempty"`
	Door      string       `cbor:"9,keyasint,omitempty"`  // [a-z0-9-]{1,32}
	Source    string       `cbor:"10,keyasint,omitempty"` // reader or input of the door, or who did it (a role, and behind it an account's number), [a-z0-9-]{1,32}
	Direction Direction    `cbor:"11,keyasint,omitempty"`
	Ref       *Ref         `cbor:"12,keyasint,omitempty"` // the entry that this one belongs to
	Count     uint64       `cbor:"13,keyasint,omitempty"` // of repeated, flood, gap: how many it stands for
	Detail    []byte       `cbor:"14,keyasint,omitempty"` // by kind: boot id, hash of the site file, hash of the list; at most 64 bytes, or SealedSize
}

// Who is the part of an entry that tells of a person, kept apart so that it
// can be erased while the tree stays provable.
type Who struct {
	Credential *CredentialID `cbor:"1,keyasint,omitempty"`
	Grant      *ID           `cbor:"2,keyasint,omitempty"`
	Tenancy    *ID           `cbor:"3,keyasint,omitempty"`
	Method     Method        `cbor:"4,keyasint,omitempty"` // since format 2; with one of the others
}

// Method is how somebody showed who they are. It stands in the who part and not
// in the header: that somebody typed a PIN is a word about a person.
type Method uint8

const (
	MethodCard    Method = 1
	MethodCardPIN Method = 2
	MethodPass    Method = 3
	MethodPIN     Method = 4
	MethodCode    Method = 5
	MethodGuest   Method = 6
	methodLast           = MethodGuest
)

var methodNames = [...]string{MethodCard: "card", MethodCardPIN: "card and PIN", MethodPass: "pass", MethodPIN: "PIN", MethodCode: "one-time code", MethodGuest: "guest code"}

// String returns the method in words; empty where the entry does not say.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return fmt.Sprintf("method %d", uint8(m))
}

func (w Who) nobody() bool { return w.Credential == nil && w.Grant == nil && w.Tenancy == nil }

// SealedSize is the bytes of every detail of KindSealed, so that its length says nothing.
const (
	SealedSize = 2048
	maxDetail  = 64                   // bytes of other details, so that an entry is never much over 200
	maxWho     = 1 + 19 + 18 + 18 + 2 // bytes of a who part with every field
	headerRoom = 128                  // bytes of most headers, and of all without a detail and with shorter names
)

// Encode returns the one encoding of a header.
func (h Header) Encode() ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("encode entry header: %w", err)
	}
	return h.encode(), nil
}

// DecodeHeader reads a header and refuses all but the bytes that Encode makes.
func DecodeHeader(b []byte) (Header, error) {
	var h Header
	if err := canonical.DecodeBy("entry header", b, &h, func() ([]byte, error) { return h.encode(), nil }); err != nil {
		return Header{}, err
	}
	if err := h.check(); err != nil {
		return Header{}, fmt.Errorf("entry header: %w", err)
	}
	return h, nil
}

func (h Header) check() error {
	switch {
	case h.Kind == 0:
		return fmt.Errorf("%w: no kind", ErrMalformed)
	case !ValidName(h.Door, true):
		return fmt.Errorf("%w: door id", ErrMalformed)
	case !ValidName(h.Source, true):
		return fmt.Errorf("%w: source id", ErrMalformed)
	case len(h.Detail) > maxDetail && h.Kind != KindSealed, h.Kind == KindSealed && len(h.Detail) != SealedSize:
		return fmt.Errorf("%w: detail of %d bytes: at most %d, of a sealed entry %d", ErrMalformed, len(h.Detail), maxDetail, SealedSize)
	}
	return nil
}

// Alarm reports whether somebody should hear of the entry at once. Both ends go
// by it: the gateway sends a Notice of what the registry counts.
func (h Header) Alarm() bool {
	switch h.Kind {
	case KindForced, KindDamaged, KindRefused, KindGap:
		return true
	case KindHeld, KindFire, KindJournal, KindUplink:
		return h.Outcome == OutcomeActive
	case KindTenancy:
		return h.Reason == ReasonWrongPIN && h.Count > 0 // several in a row at a door
	case KindEpoch:
		return len(h.Detail) > 0 // it cites another: that of a rollback, not the first of a new disk
	case KindFault, KindOffline:
		return fault.Code(h.Reason).Alarm() && h.Outcome != OutcomeIdle
	}
	return false
}

// Time returns the wall clock as it stood.
func (h Header) Time() time.Time { return time.UnixMilli(h.Wall) }

// Encode returns the one encoding of a who part; nil where it names nobody.
func (w Who) Encode() ([]byte, error) {
	switch {
	case w.Method > methodLast:
		return nil, fmt.Errorf("encode entry who: %w: method %d", ErrMalformed, w.Method)
	case w.nobody():
		return nil, nil // a method alone tells of nobody
	}
	return w.encode(), nil
}

// DecodeWho reads a who part and refuses all but the bytes that Encode makes.
func DecodeWho(b []byte) (Who, error) {
	var w Who
	if err := canonical.Decode("entry who", b, &w); err != nil {
		return Who{}, err
	}
	if w.nobody() || w.Method > methodLast {
		return Who{}, fmt.Errorf("entry who: %w: it names nobody, or method %d", ErrMalformed, w.Method)
	}
	return w, nil
}

// WhoHash is what the leaf record holds in place of the who part: SHA-256 of
// salt and who, or zeros where there is no who.
func WhoHash(salt [16]byte, who []byte) (h [32]byte) {
	if len(who) == 0 {
		return h
	}
	var onStack [16 + maxWho]byte
	return sha256.Sum256(append(append(onStack[:0], salt[:]...), who...))
}

// LeafRecord returns the bytes whose RFC 6962 hash is the entry's leaf: the
// header, then the hash of the who part.
func LeafRecord(header []byte, whoHash [32]byte) []byte {
	return append(append(make([]byte, 0, len(header)+32), header...), whoHash[:]...)
}

// ValidName reports whether s can name a building, gateway, door or reader:
// [a-z0-9-]{1,32}. The same letters are legal in topics and client ids.
func ValidName(s string, orEmpty bool) bool { return canonical.ValidName(s, orEmpty) }

// ValidText reports whether s can name a flat: 1 to 64 characters in UTF-8 that can be
// printed. A control character would write on the screen of whoever lists flats,
// and one of direction would show another flat than it is.
func ValidText(s string) bool {
	return s != "" && len(s) <= 4*maxText && utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxText && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) })
}
