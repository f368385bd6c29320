package keyring

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// A record file is one line with the SHA-256 of the rest in hex, and the rest is
// JSON. A person stands in a file of its own, so that it can be erased.
const (
	recordSuffix = ".record"
	personSuffix = ".person"
)

type recordRow struct {
	Gateway  string     `json:"gateway"`
	Record   []byte     `json:"record"` // its one encoding
	Envelope []byte     `json:"envelope"`
	Entered  bool       `json:"entered"`
	Also     []position `json:"also,omitempty"`
	Kept     int64      `json:"kept,omitempty"`
}

func (k *Keyring) recordFile(h *held) string {
	return filepath.Join(k.recordsDir(), h.Gateway+"-"+h.Record.ID.String()+recordSuffix)
}

func (k *Keyring) personFile(h *held) string {
	return strings.TrimSuffix(k.recordFile(h), recordSuffix) + personSuffix
}

// writeRecord writes the person first: a record that is there has its person.
func (k *Keyring) writeRecord(h *held) error {
	record, err := wire.Encode(h.Record)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	row, err := json.Marshal(recordRow{h.Gateway, record, h.Envelope, h.Entered, h.also, h.kept})
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	if err := k.makeRecordsDir(); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	if len(h.Person) > 0 {
		if err := durable.WriteFile(k.personFile(h), withSum(h.Person), 0o600); err != nil {
			return err
		}
	}
	return durable.WriteFile(k.recordFile(h), withSum(row), 0o600)
}

// removeRecord erases a record and its person.
func (k *Keyring) removeRecord(h *held) error {
	return errors.Join(durable.Remove(k.recordFile(h)), durable.Remove(k.personFile(h)))
}

func withSum(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(hex.AppendEncode(nil, sum[:]), append([]byte{'\n'}, body...)...)
}

func checkSum(data []byte) ([]byte, error) {
	first, body, _ := bytes.Cut(data, []byte{'\n'})
	sum := sha256.Sum256(body)
	if string(first) != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%w: not what was written", durable.ErrDamaged)
	}
	return body, nil
}

// readRecords reads the folder, at a start and when the building's key comes. A
// damaged file is set aside; one that can't be read now stays.
func (k *Keyring) readRecords() {
	if k.registry.Load() == nil || k.building.Load() == nil {
		return
	}
	files, err := os.ReadDir(k.recordsDir())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			k.opts.Log.Error().Err(err).Msg("records can't be read")
		}
		return
	}
	k.eraseLeftovers(files)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), recordSuffix) {
			continue
		}
		path := filepath.Join(k.recordsDir(), f.Name())
		h, err := k.readRecord(path)
		switch {
		case err == nil && k.registry.Load().Strange(h.Gateway):
			k.opts.Log.Warn().Str("gateway", h.Gateway).Msg("record of a removed gateway is erased")
			if err := k.removeRecord(h); err != nil {
				k.opts.Log.Error().Err(err).Msg("record of a removed gateway can't be erased")
			}
		case err == nil && k.find(h.Gateway, h.Record.ID) == nil:
			k.records = append(k.records, h)
		case errors.Is(err, durable.ErrDamaged), errors.Is(err, wire.ErrMalformed):
			k.opts.Log.Error().Err(err).Msg("record is damaged")
			k.aside.put(path)
		case err != nil:
			k.opts.Log.Error().Err(err).Msg("record can't be read")
		}
	}
	slices.SortFunc(k.records, (*held).compare)
}

// eraseLeftovers erases what an interrupted write left of a person: files that
// are not whole, and persons whose record was never in force.
func (k *Keyring) eraseLeftovers(files []os.DirEntry) {
	records := make(map[string]bool)
	for _, f := range files {
		stem, _, _ := strings.Cut(f.Name(), recordSuffix) // damaged ones have more behind it
		records[stem] = true
	}
	for _, f := range files {
		stem, isPerson := strings.CutSuffix(f.Name(), personSuffix)
		if !strings.HasSuffix(f.Name(), ".new") && (!isPerson || records[stem]) {
			continue
		}
		if err := durable.Remove(filepath.Join(k.recordsDir(), f.Name())); err != nil {
			k.opts.Log.Error().Err(err).Msg("leftover of a record can't be erased")
		}
	}
}

func (k *Keyring) readRecord(path string) (*held, error) {
	body, err := readSummed(path)
	if err != nil {
		return nil, err
	}
	var row recordRow
	if err := json.Unmarshal(body, &row); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", path, durable.ErrDamaged, err)
	}
	h := &held{Local: Local{Gateway: row.Gateway, Envelope: row.Envelope, Entered: row.Entered}, also: row.Also, kept: row.Kept}
	if err := wire.Decode(row.Record, &h.Record); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if h.Change, err = k.OpenRecord(h.Record.House); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if k.recordFile(h) != path {
		return nil, fmt.Errorf("read %s: %w: it is another record", path, durable.ErrDamaged)
	}
	person := k.personFile(h)
	h.Person, err = readSummed(person)
	if errors.Is(err, durable.ErrDamaged) {
		k.aside.put(person)
	}
	return h, nil // it counts without its person too
}

func readSummed(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	body, err := checkSum(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return body, nil
}
