package wire

import (
	"cmp"
	"crypto/ed25519"
	"fmt"

	"gatehouse/sync/wire/internal/canonical"
)

// Hello2 is a Hello of format 2. A registry that does not answer it knows format 1.
type Hello2 struct {
	Hello
	Formats     []uint64 `cbor:"17,keyasint"` // that the gateway reads, ascending
	Removed     uint64   `cbor:"18,keyasint"` // how many grants it remembers as ended for good
	RemovedHash Hash     `cbor:"19,keyasint"` // over their ids
	ListEpoch   uint64   `cbor:"20,keyasint"` // of the issuer's role that signed the active list; 0: none
	Cosigned    Cosigned `cbor:"21,keyasint"` // newest checkpoint that a witness cosigned
	Anchor      Hash     `cbor:"22,keyasint"` // of the journal's files; zeros: none
	Zone        string   `cbor:"23,keyasint"` // time zone of the building, as Asia/Shanghai; at most 64 bytes
	Floor       Floor    `cbor:"24,keyasint"` // the highest time that was signed to it
}

// Floor is a time that keys of a role's epoch have signed: by these it is not earlier.
type Floor struct {
	_     struct{} `cbor:",toarray"`
	Role  Role     // empty: not known; without Unix there is none
	Epoch uint64
	Unix  uint32 // s
	Undos uint64 // that the gateway has taken: so each is good once
}

// Undo takes back one time that was signed and was wrong, at the one gateway whose
// hello named it. Two issuers sign it: the envelope of the second holds that of the
// first.
type Undo struct {
	Floor Floor `cbor:"1,keyasint"`
}

func (u Undo) check() error {
	if u.Floor.Unix == 0 {
		return fmt.Errorf("%w: no time to take back", ErrMalformed)
	}
	return u.Floor.check()
}

func (f Floor) check() error {
	return malformedIf(!ValidName(string(f.Role), true), "role %q", f.Role)
}

// Ack2 is an Ack of format 2: what answers a Hello2, and what comes after it.
type Ack2 struct {
	Ack
	Safe        uint64 `cbor:"15,keyasint"`           // entries of that epoch that the registry can't lose
	SafeRecords uint64 `cbor:"16,keyasint"`           // records of the line that it can't lose
	Spread      uint16 `cbor:"17,keyasint"`           // s over which the next reconnect is spread; 0: the registry has no wish
	ListEpoch   uint64 `cbor:"18,keyasint"`           // of the issuer's role that signed the newest list; 0: none
	Holding     bool   `cbor:"19,keyasint"`           // the registry asks for what the gateway holds
	NoTime      bool   `cbor:"20,keyasint"`           // the registry doubts its clock: Time counts for nothing
	Context     *ID    `cbor:"21,keyasint,omitempty"` // to gateways that read format 3: the context of seals that the registry has; zeros: none
}

// Cosigned is a checkpoint that a witness cosigned, without its root: the zero
// value says that there is none, and is an empty array.
type Cosigned struct {
	_         struct{} `cbor:",toarray"`
	Epoch     uint64
	Size      uint64
	Time      uint32 // unix s, of the signature
	Signature Signature
}

type cosigned Cosigned

// MarshalCBOR encodes it.
func (c Cosigned) MarshalCBOR() ([]byte, error) {
	if c == (Cosigned{}) {
		return []byte{canonical.Array}, nil
	}
	return canonical.Marshal(cosigned(c))
}

// UnmarshalCBOR reads what MarshalCBOR makes. An error wraps ErrMalformed.
func (c *Cosigned) UnmarshalCBOR(b []byte) error {
	*c = Cosigned{}
	if len(b) == 1 && b[0] == canonical.Array {
		return nil
	}
	var in cosigned
	if err := canonical.Decode("cosigned checkpoint", b, &in); err != nil {
		return err
	}
	*c = Cosigned(in)
	return nil
}

func (h Hello2) check() error {
	if len(h.Formats) == 0 || len(h.Formats) > maxFormats {
		return fmt.Errorf("%w: %d formats", ErrMalformed, len(h.Formats))
	}
	for i, f := range h.Formats {
		if f == 0 || i > 0 && f <= h.Formats[i-1] {
			return fmt.Errorf("%w: formats out of order", ErrMalformed)
		}
	}
	if len(h.Zone) > maxText {
		return fmt.Errorf("%w: time zone of %d bytes", ErrMalformed, len(h.Zone))
	}
	return cmp.Or(h.Floor.check(), h.Hello.check())
}

// VersionOf returns the version of the envelope that a message body goes into.
func VersionOf(p Payload) uint64 {
	switch m := p.(type) {
	case Batch:
		if len(m.Context) > 0 {
			return ContextFormat
		}
	case Ack2:
		if m.Context != nil {
			return ContextFormat
		}
		return 2
	case Hello2:
		return 2
	case Trust:
		if m.Retention != nil {
			return RetentionFormat
		} else if len(m.Approvers) > 0 {
			return ApproverFormat
		} else if len(m.False)+len(m.Addresses) > 0 {
			return 2
		}
	case ListPart:
		if len(m.Proof) > 0 {
			return 2
		}
	}
	return 1
}

// SignBody is Encode and Sign, in the version that the body needs.
func SignBody(p Protected, body Payload, key ed25519.PrivateKey) ([]byte, error) {
	payload, err := Encode(body)
	if err != nil {
		return nil, err
	}
	p.Version = VersionOf(body)
	return Sign(p, payload, key)
}

// DecodeHello reads a hello by the version of its envelope. What format 1 does not
// have stays zero, but for Formats, which are that one.
func DecodeHello(version uint64, payload []byte) (h Hello2, err error) {
	if version >= 2 {
		return h, Decode(payload, &h)
	}
	h.Formats = []uint64{1}
	return h, Decode(payload, &h.Hello)
}

// DecodeAck reads an ack by the version of its envelope: see DecodeHello.
func DecodeAck(version uint64, payload []byte) (k Ack2, err error) {
	if version >= 2 {
		return k, cmp.Or(Decode(payload, &k), malformedIf(VersionOf(k) != version, "an ack of format %d in version %d", VersionOf(k), version))
	}
	return k, Decode(payload, &k.Ack)
}
