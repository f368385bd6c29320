// Package backup defines the file from which a burned gateway is replaced: its content, and how it
// is sealed. Only the recovery code opens it, and the gateway that made it.
//
// It has no signing key: the new machine makes its own, and begins another journal. It has no
// person's name or number, not even sealed, and no entry of the journal.
package backup

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"gatehouse/internal/backup/recovery"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// Header is the part of a backup that can be read without its key.
type Header struct {
	Building string    `json:"building"`
	Gateway  string    `json:"gateway"`
	Made     time.Time `json:"made"`
	Software string    `json:"software"` // the program that made it
	Key      Wrap      `json:"key"`
	Size     int       `json:"size"` // of the sealed part, bytes
	Sum      string    `json:"sha256"`
}

// Content is the content of a backup: everything by which the doors of a building decide, and
// nobody's passages.
type Content struct {
	Site     []byte            `json:"site"`               // text of the site file
	Profiles Profiles          `json:"profiles,omitzero"`  // of boards and readers that only this house has
	Keys     map[string][]byte `json:"keys"`               // files of the directory of keys, except the machine's own
	Readers  map[string][]byte `json:"readers,omitempty"`  // keys of OSDP readers (SCBK, hex), by "door/reader"
	Clock    []byte            `json:"clock,omitempty"`    // ClockFile
	Grants   map[string][]byte `json:"grants"`             // GrantFiles
	Records  map[string][]byte `json:"records,omitempty"`  // pending tenancy records: no list has them
	Manifest []byte            `json:"manifest,omitempty"` // envelope of the active list; empty: none
	Second   []byte            `json:"second,omitempty"`
	Buckets  [][]byte          `json:"buckets,omitempty"`
	Over     []wire.ID         `json:"over,omitempty"` // grants that are over for ever
}

// Profiles are the files of a directory of profiles.
type Profiles struct {
	Dir   string            `json:"dir"`
	Files map[string][]byte `json:"files"`
}

// magic begins each backup; the number is the format's. Format 2 has a sum of the head, on a line
// after the header; before, what was damaged there could not be told from another code.
const (
	magic  = "gatehouse backup 2\n"
	magic1 = "gatehouse backup 1\n"
)

// before begins the backups of all formats.
const before = "gatehouse backup "

// mostPlain is the most bytes of an unpacked backup: over ten times a house of 100,000 cards.
const mostPlain = 256 << 20

// MostSize is the most bytes of a backup.
const MostSize = 64 << 20

var (
	// ErrDamaged means that a backup was changed after it was written.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrCut means that the end of a backup is missing: it was only half written, or half copied.
	ErrCut = errors.New("the backup was only written or copied in part")
	// ErrForeign means that a file is no backup of a gateway.
	ErrForeign = errors.New("that is no backup of a gateway")
	// ErrNewer means that a newer program made the backup.
	ErrNewer = errors.New("the backup was made by a newer program")
)

// File is a sealed backup.
type File struct {
	Header
	format string // magic or magic1
	head   []byte // all before the sealed part, as in the file
	sealed []byte
}

// Seal returns the bytes of a backup. It sets Size, Sum and Key of the header.
func Seal(k *Key, h Header, c Content) ([]byte, error) {
	var packed bytes.Buffer
	pack := gzip.NewWriter(&packed)
	if err := errors.Join(json.NewEncoder(pack).Encode(c), pack.Close()); err != nil {
		return nil, fmt.Errorf("seal backup: %w", err)
	}
	h.Key, h.Made = k.Wrap, h.Made.UTC().Truncate(time.Second)
	sealed := sealing.AES(k.Secret).Seal(nil, nil, packed.Bytes(), bound(magic, h))
	sum := sha256.Sum256(sealed)
	h.Size, h.Sum = len(sealed), hex.EncodeToString(sum[:])
	head, err := h.encode(magic)
	if err != nil {
		return nil, fmt.Errorf("seal backup: %w", err)
	}
	return append(head, sealed...), nil
}

// bound returns the part of the header that the seal authenticates: all but the wrapped key, and
// what follows from the sealed bytes.
func bound(format string, h Header) []byte {
	h.Key, h.Size, h.Sum = Wrap{}, 0, ""
	b, _ := json.Marshal(h) // texts and a time
	return append([]byte(format), b...)
}

// encode returns all that stands before the sealed part.
func (h Header) encode(format string) ([]byte, error) {
	b, err := json.Marshal(h)
	head := append(append([]byte(format), b...), '\n')
	if format == magic {
		head = fmt.Appendf(head, "%x\n", sha256.Sum256(head))
	}
	return head, err
}

// Decode checks that a backup is whole and unchanged, as far as that is possible without its key.
// Errors wrap ErrForeign, ErrNewer, ErrCut or ErrDamaged.
func Decode(data []byte) (f File, err error) {
	switch {
	case !bytes.HasPrefix(data, []byte(before)):
		if bytes.HasPrefix([]byte(before), data) {
			return f, fmt.Errorf("%w: it has %d bytes", ErrCut, len(data))
		}
		return f, ErrForeign
	case len(data) < len(magic):
		return f, fmt.Errorf("%w: it has %d bytes", ErrCut, len(data))
	}
	lines := 1 // of the head, after the format's
	switch f.format = string(data[:len(magic)]); f.format {
	case magic:
		lines = 2
	case magic1:
	default:
		return f, ErrNewer
	}
	parts := bytes.SplitAfterN(data[len(magic):], []byte("\n"), lines+1)
	if len(parts) <= lines {
		return f, fmt.Errorf("%w: its first part does not end", ErrCut)
	}
	f.sealed = parts[lines]
	f.head = data[:len(data)-len(f.sealed)]
	if err := json.Unmarshal(parts[0], &f.Header); err != nil {
		return f, fmt.Errorf("%w: its first part can't be read", ErrDamaged)
	}
	if err := f.check(); err != nil {
		return File{}, err
	}
	return f, nil
}

func (f File) check() error {
	if again, err := f.Header.encode(f.format); err != nil || !bytes.Equal(again, f.head) {
		return fmt.Errorf("%w: its first part is not as it was written", ErrDamaged)
	}
	if len(f.sealed) < f.Size {
		return fmt.Errorf("%w: %d of %d bytes are there", ErrCut, len(f.sealed), f.Size)
	}
	sum := sha256.Sum256(f.sealed)
	if len(f.sealed) != f.Size || hex.EncodeToString(sum[:]) != f.Sum {
		return fmt.Errorf("%w: its sum is another", ErrDamaged)
	}
	if !wire.ValidName(f.Building, false) || !wire.ValidName(f.Gateway, false) {
		return fmt.Errorf("%w: it names no building or no gateway", ErrDamaged)
	}
	return f.Key.check()
}

// OpenByCode opens a backup with its recovery code, and also returns its key. Errors wrap ErrCode
// or ErrDamaged.
func (f File) OpenByCode(c recovery.Code) (Content, *Key, error) {
	secret, err := f.Key.Unwrap(c)
	if errors.Is(err, ErrCode) && f.format == magic1 {
		err = fmt.Errorf("%w; or its first part is damaged, which an old backup can't tell: take another copy then", err)
	}
	if err != nil {
		return Content{}, nil, err
	}
	k := &Key{Secret: secret, Wrap: f.Key, Made: f.Made, Proved: f.Made}
	content, err := f.Open(k)
	return content, k, err
}

// Open opens a backup with the gateway's own key. The error wraps ErrDamaged.
func (f File) Open(k *Key) (c Content, err error) {
	packed, err := sealing.AES(k.Secret).Open(nil, nil, f.sealed, bound(f.format, f.Header))
	if err != nil {
		return c, fmt.Errorf("%w: it is not sealed by this key", ErrDamaged)
	}
	unpack, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	plain, err := io.ReadAll(io.LimitReader(unpack, mostPlain+1))
	if err != nil || len(plain) > mostPlain {
		return c, fmt.Errorf("%w: it can't be unpacked", ErrDamaged)
	}
	in := json.NewDecoder(bytes.NewReader(plain))
	in.DisallowUnknownFields()
	if err := in.Decode(&c); err != nil {
		return Content{}, fmt.Errorf("%w: what it holds can't be read", ErrDamaged)
	}
	return c, nil
}

// Name returns the name of the backup's file.
func (h Header) Name() string { return "gatehouse-" + h.Building + "-" + h.Gateway + ".backup" }
