package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"gatehouse/internal/durable"
)

// endMark begins the last field of a file of SaveEnded. Programs from before the field ignore it.
const endMark = `,"sum":"`

// SaveEnded writes v, a JSON object that is not empty, durably, with a last field that is a
// checksum of the rest.
func (d *Dir) SaveEnded(name string, v any) error {
	defer d.DidWrite()
	data, err := Ended(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return durable.WriteFile(d.Join(name), data, 0o600)
}

// Ended returns what SaveEnded writes.
func Ended(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return ended(data[:len(data)-1]), nil
}

// Unend reads what Ended has returned into v, and reports whether it was that.
func Unend(data []byte, v any) bool { return whole(data) && json.Unmarshal(data, v) == nil }

func ended(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(append(bytes.Clone(body), endMark...), hex.EncodeToString(sum[:])+`"}`...)
}

// whole reports whether data are what SaveEnded wrote.
func whole(data []byte) bool {
	i := bytes.LastIndex(data, []byte(endMark))
	return i > 0 && bytes.Equal(data, ended(data[:i]))
}

// ReadEnded reads a file of SaveEnded into v. A single flipped bit is found and corrected; a file
// with worse damage is put aside and, like a missing one, counts as empty (see Read). A file
// without the last field is of an older program.
func (d *Dir) ReadEnded(name string, v any) {
	data, ok := d.load(name)
	if !ok {
		return
	}
	if !whole(data) && (bytes.Contains(data, []byte(endMark)) || !json.Valid(data)) && !d.unflip(name, data) {
		d.PutAside(d.Join(name))
		return
	}
	if json.Unmarshal(data, v) != nil {
		d.PutAside(d.Join(name))
	}
}

// unflip corrects the one flipped bit of a file's data, if there is one. The damaged data are kept
// beside the file.
func (d *Dir) unflip(name string, data []byte) bool {
	was := bytes.Clone(data)
	for i := range 8 * len(data) {
		data[i/8] ^= 1 << (i % 8)
		if whole(data) {
			if err := durable.KeepAside(d.Join(name), was); err != nil {
				d.Log.Error().Err(err).Msg("damaged file can't be kept aside")
			}
			if err := durable.WriteFile(d.Join(name), data, 0o600); err != nil {
				d.Log.Error().Err(err).Msg("file beside the grants can't be written")
			}
			d.note(name)
			return true
		}
		data[i/8] ^= 1 << (i % 8)
	}
	return false
}
