package evidence

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/sync/wire"
)

// Format is the first line that says how a file is to be read.
const Format = "gatehouse evidence 1"

// Manifest says what is in a file. What the entries and the proof do not show (scope, clock, doors,
// boots, other epochs) is the word of whoever signed the file.
type Manifest struct {
	Format   string     `json:"format"`   // set by Write
	Registry string     `json:"registry"` // empty: a standalone house
	Root     string     `json:"root"`     // public key in hex; empty: a standalone house
	Gateway  string     `json:"gateway"`  // building/gateway
	Epoch    Epoch      `json:"epoch"`    // of the log
	First    uint64     `json:"first"`    // sequence of the first entry
	Counts   Counts     `json:"counts"`   // set by Write
	Erased   bool       `json:"erased"`   // set by Write: who parts that the mandate asks for were erased, perhaps; nothing says which
	Scope    Scope      `json:"scope"`
	Mandate  Mandate    `json:"mandate"`
	TimeZone string     `json:"time_zone"` // of the building, an IANA name
	Clock    ClockState `json:"clock"`
	Made     Making     `json:"made"`
	Doors    []Door     `json:"doors"`
	Boots    []Boot     `json:"boots"`  // runs of the span, by number
	Epochs   []Head     `json:"epochs"` // of this gateway's log that are known, oldest first
}

// Epoch is the number of an epoch, in JSON 16 digits in hex: programs that read numbers as floats
// would round it.
type Epoch uint64

// MarshalText returns the 16 digits.
func (e Epoch) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(e)), nil }

// UnmarshalText reads the 16 digits.
func (e *Epoch) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != 8 {
		return fmt.Errorf("epoch: %w: want 16 hex digits", wire.ErrMalformed)
	}
	*e = 0
	for _, digit := range b {
		*e = *e<<8 | Epoch(digit)
	}
	return nil
}

// Counts are the entries of a file: each names somebody, or nobody, or its who part is not here.
type Counts struct {
	Entries  uint64 `json:"entries"`
	Named    uint64 `json:"named"`
	Withheld uint64 `json:"withheld"` // outside the mandate's scope, or erased
}

// Scope is what the mandate asked for of this gateway.
type Scope struct {
	Doors []string  `json:"doors"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"` // exclusive
}

// Has reports whether the mandate asked for a door; what is of no door belongs to all of them.
func (s Scope) Has(door string) bool {
	return door == "" || len(s.Doors) == 0 || slices.Contains(s.Doors, door)
}

// Mandate names the mandate that was answered.
type Mandate struct {
	Reference string    `json:"reference"`
	SHA256    wire.Hash `json:"sha256"` // of its envelope
}

// ClockState is what the one who made the file knew of the time.
type ClockState struct {
	Quality  string    `json:"quality"`  // of the clock: ntp, registry, ...
	Earliest time.Time `json:"earliest"` // the time is between
	Latest   time.Time `json:"latest"`
}

// Making is how the file came to be.
type Making struct {
	At       time.Time `json:"at"` // of the audit entry, in the building's zone
	Software string    `json:"software"`
	SiteFile wire.Hash `json:"site_file"` // SHA-256 of the active site file
}

// Door is a door of the gateway.
type Door struct {
	ID      string `json:"id"`
	Contact bool   `json:"contact"` // a contact tells whether it is open
}

// Boot is a run of the daemon.
type Boot struct {
	Number   uint64 `json:"number"`
	Software string `json:"software"` // empty: nobody knows any more
}

// Head is how far an epoch came.
type Head struct {
	Epoch Epoch     `json:"epoch"`
	Size  uint64    `json:"size"`
	Root  wire.Hash `json:"root"`
}

// End returns the sequence behind the last entry.
func (m Manifest) End() uint64 { return m.First + m.Counts.Entries }

// rootKey returns the root's public key, nil for a standalone house.
func (m Manifest) rootKey() ([]byte, error) {
	b, err := hex.DecodeString(m.Root)
	if err == nil && m.Registry != "" && len(b) != len(wire.Hash{}) || m.Registry == "" && m.Root != "" {
		err = errors.New("a root's key has 64 hex digits, and a standalone house none")
	}
	return b, err
}

// encode returns the one encoding of what a JSON member says.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	_ = e.Encode(v) // plain data to memory
	return b.Bytes()
}

var errOtherwise = errors.New("it is not written as it has to be")

// decode reads a JSON member and refuses all but its one encoding, so that no two readers read it
// differently.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if !bytes.Equal(encode(v), b) {
		return errOtherwise
	}
	return nil
}

// readManifest reads the manifest of a file. What the entries say it compares later.
func readManifest(b []byte) (m Manifest, err error) {
	var of struct {
		Format string `json:"format"`
	}
	if json.Unmarshal(b, &of) == nil && of.Format != Format && of.Format != "" {
		return m, refuse(Newer, nameManifest, fmt.Errorf("%q", of.Format))
	}
	if err = decode(b, &m); err == nil {
		err = m.check()
	}
	if err != nil {
		return Manifest{}, refuse(BadManifest, nameManifest, err)
	}
	return m, nil
}

const maxSequence = 1<<53 - 1 // what every reader of JSON takes as it is

func (m Manifest) check() error {
	_, rootErr := m.rootKey()
	switch {
	case m.Format != Format, m.Epoch == 0, !wire.ValidAddress(m.Gateway), !wire.ValidName(m.Registry, true):
		return errors.New("no format, epoch, gateway or registry")
	case m.Counts.Entries == 0, m.First > maxSequence, m.Counts.Entries > maxFile:
		return errors.New("no entries")
	case m.TimeZone == "":
		return errors.New("no time zone")
	}
	return rootErr
}
