package wire

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// Types of messages, as they stand in envelopes and, where they travel by MQTT,
// in topics. Beside each: the role that signs it, its address, its payload.
const (
	TypeGrantList = "grant-list"   // issuer, building: Manifest
	TypeClock     = "clock"        // an issuer of a standalone house, building: a nonce of the gateway's and unix s, over its socket alone
	TypeSecond    = "second"       // another issuer, building: SHA-256 of a manifest that removes many tenancies
	TypePass      = "pass"         // issuer, building: Pass; as text in a QR code
	TypeTrust     = "trust"        // root, registry: Trust
	TypeHouse     = "house"        // issuer, building: House
	TypeEnrol     = "enrol"        // gateway, building/gateway: EnrolRequest; by HTTPS
	TypeRenew     = "renew"        // gateway, building/gateway: RenewRequest; by HTTPS
	TypeSnapshot  = "snapshot"     // gateway, building/gateway: package snapshot; by HTTPS
	TypeHello     = "hello"        // gateway, building/gateway: Hello, or Hello2 in version 2
	TypeBatch     = "batch"        // gateway, building/gateway: Batch
	TypeNotice    = "notice"       // gateway, building/gateway: Notice
	TypeWant      = "want"         // gateway, building/gateway: Want
	TypeDelivery  = "delivery"     // gateway, building/gateway: Delivery
	TypeHolding   = "holding"      // gateway, building/gateway: Holding; to the registry, and on the building's topic
	TypeStatus    = "status"       // gateway, building/gateway: Status
	TypeAck       = "ack"          // witness, building/gateway: Ack, or Ack2 in version 2
	TypeUndo      = "undo"         // issuer, building/gateway: the envelope of another issuer, of the same type, with an Undo
	TypeList      = "list"         // witness, building/gateway: ListPart
	TypeRecord    = "record"       // gateway, building/gateway: Record; inside a Delivery, and on the building's topic
	TypeRoll      = "roll"         // gateway, building/gateway: Roll; on the building's topic
	TypeKey       = "building-key" // gateway, building/gateway: KeyShare; on the building's topic
)

// Nonce is what an answer repeats: 64 random bits of the connection, which its
// last will has too, then 64 of the one hello.
type Nonce [16]byte

// SameConnection reports whether both are of one connection.
func (n Nonce) SameConnection(o Nonce) bool { return [8]byte(n[:8]) == [8]byte(o[:8]) }

// Signature is one of Ed25519.
type Signature [64]byte

// Limits of messages.
const (
	MaxBatch      = 1024     // entries
	MaxBatchSize  = 56 << 10 // bytes of a batch's payload
	MaxPerson     = 16 << 10 // bytes of a sealed person
	MaxWanted     = 256      // buckets
	MaxHave       = 2048     // records in a Roll
	MaxFlats      = 512      // flats of a house
	MaxTombstones = 3072     // in one part of a Holding
	maxProof      = 63       // hashes: of the deepest tree
	maxKEM        = 4096     // bytes of a public key of HPKE
	maxGateways   = 64       // of a building
	maxDoors      = 64       // of a gateway
	maxText       = 64       // bytes of a short text
	maxFalse      = 64       // epochs that a trust document takes back
	maxAddresses  = 16       // that a trust document adds
	maxFormats    = 16       // that a Hello2 names
)

// Hello is what a gateway says after each connect, and every few hours.
type Hello struct {
	Nonce       Nonce        `cbor:"1,keyasint"` // of this connection: answers repeat it
	Boot        uint64       `cbor:"2,keyasint"` // number of the daemon's run
	Epoch       uint64       `cbor:"3,keyasint"` // of the journal's head
	Next        uint64       `cbor:"4,keyasint"` // its size
	Root        Hash         `cbor:"5,keyasint"` // its root
	CursorEpoch uint64       `cbor:"6,keyasint"` // where the uplink stands; 0 before the first ack
	CursorNext  uint64       `cbor:"7,keyasint"`
	List        uint64       `cbor:"8,keyasint"`  // active version; 0: none
	ListHash    Hash         `cbor:"9,keyasint"`  // of its manifest
	House       uint64       `cbor:"10,keyasint"` // version of the House document
	Trust       uint64       `cbor:"11,keyasint"` // version of the Trust document
	Line        uint64       `cbor:"12,keyasint"` // of its tenancy records; 0: none made yet
	Records     uint64       `cbor:"13,keyasint"` // how many in this line
	Wall        int64        `cbor:"14,keyasint"` // its clock, ms since 1970-01-01T00:00:00Z
	Clock       ClockQuality `cbor:"15,keyasint"`
	Software    string       `cbor:"16,keyasint"` // version, at most 64 bytes
}

// Batch is a run of entries. Their who parts travel sealed to the records key: package whos.
type Batch struct {
	Epoch     uint64    `cbor:"1,keyasint"`
	First     uint64    `cbor:"2,keyasint"` // sequence number of the first entry
	Headers   [][]byte  `cbor:"3,keyasint"` // the bytes of each Header
	Whos      [][]byte  `cbor:"4,keyasint"` // WhoHash of each; empty where it names nobody
	Root      Hash      `cbor:"5,keyasint"` // of the tree after the last
	Sealed    []byte    `cbor:"6,keyasint"` // their seals; empty where there is none
	Signature Signature `cbor:"7,keyasint"` // note signature of the gateway over the checkpoint after the last
	// The context of the seals, in format 3: its id (16 bytes) where the registry has its key, else the
	// encapsulated key. Empty: all are sealed once, as in the formats before.
	Context []byte `cbor:"8,keyasint,omitempty"`
}

// Notice is the header of an alarm, sent at once beside the backlog. The entry
// itself comes in its batch; a notice proves nothing but that it is on its way.
type Notice struct {
	Epoch    uint64 `cbor:"1,keyasint"`
	Sequence uint64 `cbor:"2,keyasint"`
	Header   []byte `cbor:"3,keyasint"`
}

// Want asks for what the gateway lacks.
type Want struct {
	List    bool   `cbor:"1,keyasint"` // the newest manifest
	Buckets []Hash `cbor:"2,keyasint"` // of the newest list
	House   bool   `cbor:"3,keyasint"`
	Trust   bool   `cbor:"4,keyasint"`
}

// Delivery brings a tenancy record to the registry.
type Delivery struct {
	Record []byte `cbor:"1,keyasint"` // envelope of a Record, the sender's own or a sibling's
	Person []byte `cbor:"2,keyasint"` // Seal of a Person to the records key; empty: none, delivered before, or a sibling's
}

// Status is the payload of the last will and of its opposite.
type Status struct {
	Nonce  Nonce `cbor:"1,keyasint"` // that of the connection's Hello
	Online bool  `cbor:"2,keyasint"`
}

// Ack answers a Hello, a Batch and a Delivery: the registry has committed this
// much. It is true for ever, so a repeated or late one does no harm.
type Ack struct {
	Nonce       Nonce     `cbor:"1,keyasint"` // of the newest Hello
	Time        uint32    `cbor:"2,keyasint"` // unix s; raises the gateway's floor
	Epoch       uint64    `cbor:"3,keyasint"` // of what it answers: of a Hello, the cursor's, or the head's where there is no cursor
	Next        uint64    `cbor:"4,keyasint"` // entries of that epoch that are stored
	Root        Hash      `cbor:"5,keyasint"` // of the tree over them
	Cosignature Signature `cbor:"6,keyasint"` // of the witness over that checkpoint, at Time; zeros: not cosigned
	Window      uint16    `cbor:"7,keyasint"` // batches in flight at most; 0: none until RetryAfter
	RetryAfter  uint16    `cbor:"8,keyasint"` // s
	List        uint64    `cbor:"9,keyasint"` // newest version for the building; 0: none
	ListHash    Hash      `cbor:"10,keyasint"`
	House       uint64    `cbor:"11,keyasint"`
	Trust       uint64    `cbor:"12,keyasint"`
	Line        uint64    `cbor:"13,keyasint"` // newest line of tenancy records; 0: none, or begin another
	Records     uint64    `cbor:"14,keyasint"` // stored of that line, without a gap
}

// ListPart brings the newest manifest and those buckets that fit. Each proves
// itself: the manifest by its signature, a bucket by its hash.
type ListPart struct {
	Manifest []byte   `cbor:"1,keyasint"` // envelope
	Second   []byte   `cbor:"2,keyasint"` // envelope of TypeSecond; empty: none
	Buckets  [][]byte `cbor:"3,keyasint"`
	// That the list which the gateway's hello named is in the log of Manifest: for
	// gateways that read LogFormat. No hash is the proof in a log of one list, or none.
	Proof []Hash `cbor:"4,keyasint,omitempty"` // RFC 6962 inclusion proof
	Index uint64 `cbor:"5,keyasint,omitempty"` // where that list stands in the log, from 0
}

// Holding is what a gateway keeps of its building's lists, in parts: for a registry
// that lost its own, and for a new sibling. One without a manifest and tombstones
// asks the siblings for theirs.
type Holding struct {
	Nonce      Nonce    `cbor:"1,keyasint"` // of the newest hello; to a sibling, of what it answers
	Manifest   []byte   `cbor:"2,keyasint"` // envelope of the active list, in part 0; else, and where there is none, empty
	Second     []byte   `cbor:"3,keyasint"` // its envelope of TypeSecond, in part 0; empty: none
	Buckets    [][]byte `cbor:"4,keyasint"` // of that list; each proves itself by its hash
	Tombstones []ID     `cbor:"5,keyasint"` // grants that were revoked, ended or dropped
	Part       uint16   `cbor:"6,keyasint"` // from 0
	Parts      uint16   `cbor:"7,keyasint"` // at least 1
	House      []byte   `cbor:"8,keyasint"` // envelope of the house document, in one part; else empty
}

func (h Holding) check() error {
	switch {
	case h.Part >= h.Parts:
		return fmt.Errorf("%w: part %d of %d", ErrMalformed, h.Part, h.Parts)
	case h.Part > 0 && len(h.Manifest)+len(h.Second) > 0:
		return fmt.Errorf("%w: a manifest in part %d", ErrMalformed, h.Part)
	case len(h.Manifest) == 0 && len(h.Second) > 0:
		return fmt.Errorf("%w: a second signature and no manifest", ErrMalformed)
	case len(h.Buckets) > 1<<MaxBucketBits || len(h.Tombstones) > MaxTombstones:
		return fmt.Errorf("%w: %d buckets and %d tombstones in a part", ErrMalformed, len(h.Buckets), len(h.Tombstones))
	}
	return nil
}

// Roll says which unsettled records of its siblings a gateway holds, so that
// they send it the others, and whether it has the building's key.
type Roll struct {
	Have      []ID  `cbor:"1,keyasint"` // Record.ID, ascending
	KeyNumber uint8 `cbor:"2,keyasint"` // of the building key; 0: please send it
}

// KeyShare is the building key for a sibling that has none.
type KeyShare struct {
	To     string `cbor:"1,keyasint"` // gateway
	Sealed []byte `cbor:"2,keyasint"` // Seal of the key: its number, then 32 bytes
}

func (h Hello) check() error {
	return malformedIf(len(h.Software) > maxText, "software of %d bytes", len(h.Software))
}

func (b Batch) check() error {
	n := len(b.Headers)
	switch {
	case b.Epoch == 0 || n == 0 || n > MaxBatch || len(b.Whos) != n:
		return fmt.Errorf("%w: epoch %d, %d headers, %d hashes", ErrMalformed, b.Epoch, n, len(b.Whos))
	case b.First+uint64(n) < b.First:
		return fmt.Errorf("%w: sequence number %d", ErrMalformed, b.First)
	case len(b.Context) > maxKEM || len(b.Context) > 0 && (len(b.Context) < len(ID{}) || len(b.Sealed) == 0):
		return fmt.Errorf("%w: a context of %d bytes for %d of seals", ErrMalformed, len(b.Context), len(b.Sealed))
	}
	size := len(b.Sealed) + len(b.Context)
	for i := range n {
		if len(b.Headers[i]) == 0 || len(b.Whos[i]) != 0 && len(b.Whos[i]) != len(Hash{}) {
			return fmt.Errorf("%w: entry %d of a batch", ErrMalformed, i)
		}
		size += len(b.Headers[i]) + len(b.Whos[i])
	}
	if size > MaxBatchSize {
		return fmt.Errorf("%w: %d bytes of entries, at most %d", ErrTooLarge, size, MaxBatchSize)
	}
	return nil
}

// Leaf returns the leaf record of entry i.
func (b Batch) Leaf(i int) []byte {
	var hash Hash
	copy(hash[:], b.Whos[i])
	return LeafRecord(b.Headers[i], hash)
}

func (n Notice) check() error {
	return malformedIf(n.Epoch == 0 || len(n.Header) == 0, "no epoch or header")
}

func (w Want) check() error {
	return malformedIf(len(w.Buckets) > MaxWanted, "%d buckets wanted, at most %d", len(w.Buckets), MaxWanted)
}

func (d Delivery) check() error {
	return malformedIf(len(d.Record) == 0 || len(d.Person) > MaxPerson, "record of %d bytes, person of %d", len(d.Record), len(d.Person))
}

func (Status) check() error { return nil }

func (Ack) check() error { return nil }

func (l ListPart) check() error {
	switch {
	case len(l.Manifest) == 0 || len(l.Buckets) > 1<<MaxBucketBits:
		return fmt.Errorf("%w: no manifest, or %d buckets", ErrMalformed, len(l.Buckets))
	case len(l.Proof) > maxProof || l.Index > math.MaxInt64 || len(l.Proof) == 0 && l.Index > 0:
		return fmt.Errorf("%w: proof of %d hashes for list %d of the log", ErrMalformed, len(l.Proof), l.Index)
	}
	return nil
}

func (r Roll) check() error {
	return malformedIf(len(r.Have) > MaxHave || !slices.IsSortedFunc(r.Have, func(a, b ID) int { return bytes.Compare(a[:], b[:]) }),
		"%d records, at most %d, in order", len(r.Have), MaxHave)
}

func (k KeyShare) check() error {
	return malformedIf(!ValidName(k.To, false) || len(k.Sealed) == 0 || len(k.Sealed) > maxKEM, "for nobody, or %d bytes", len(k.Sealed))
}
