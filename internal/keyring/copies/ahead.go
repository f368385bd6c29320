package copies

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/frames"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// Beside each database stands a file of frames with the changes that are not in it yet, so that a list costs
// one sync in each copy. What a copy holds is always both together. The changes move into the database when the
// file is full, and when the keyring is closed: then the database names no lap, and nothing is ahead of it.
const (
	aheadSuffix = ".ahead"
	aheadSize   = 256 << 10 // bytes; a list of a usual house takes 4 to 10 thousand
)

func (c *file) aheadPath() string { return strings.TrimSuffix(c.path, ".db") + aheadSuffix }

// Stored is what is written to both files: the list, the grants that are over, and the keyring's marks.
type Stored struct {
	List  *signedlist.List
	Over  *merge.Tombstones
	Marks []byte
}

// change is a value that differs in one of the tables of a file.
type change struct {
	table      byte // index of tables
	key, value []byte
}

// tables are those whose changes a frame may have.
var tables = [...][]byte{inList: listTable, inBuckets: bucketTable, inOver: overTable}

const (
	inList byte = iota
	inBuckets
	inOver
)

// changes returns what differs in a file that has some buckets and the first grants that are over.
func (s *Stored) changes(have []wire.Hash, over int) (all []change, err error) {
	for i := over; i < len(s.Over.IDs); i++ {
		all = append(all, change{inOver, binary.BigEndian.AppendUint64(nil, uint64(i)), s.Over.IDs[i][:]})
	}
	for i, hash := range s.List.Manifest.Buckets {
		if len(have) == len(s.List.Manifest.Buckets) && have[i] == hash {
			continue
		}
		b, err := s.List.Bucket(i)
		if err != nil {
			return nil, err
		}
		all = append(all, change{inBuckets, slot(i), b})
	}
	return append(all, change{inList, anchorSlot, anchorOf(s.Over)}, change{inList, secondSlot, s.List.Second},
		change{inList, marksSlot, s.Marks}, change{inList, manifestSlot, s.List.Envelope}), nil
}

// state names what a copy holds: its manifest, and how many grants are over.
type state [len(wire.Hash{}) + 8]byte

func stateOf(hash wire.Hash, over int) (s state) {
	binary.BigEndian.PutUint64(s[copy(s[:], hash[:]):], uint64(over))
	return s
}

// encodeFrame encodes changes to a copy in a state: the state, then for each change its table, and its key and
// value with their lengths.
func encodeFrame(from state, all []change) []byte {
	b := from[:]
	for _, c := range all {
		b = append(b, c.table)
		for _, part := range [][]byte{c.key, c.value} {
			b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
		}
	}
	return b
}

var errFrame = fmt.Errorf("%w: changes that can't be read", wire.ErrMalformed)

func decodeFrame(b []byte) (from state, all []change, err error) {
	if len(b) < len(from) {
		return from, nil, errFrame
	}
	b = b[copy(from[:], b):]
	part := func() []byte {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			err = errFrame
			return nil
		}
		part := b[size : size+int(n)]
		b = b[size+int(n):]
		return part
	}
	for len(b) > 0 && err == nil {
		c := change{table: b[0]}
		b = b[1:]
		c.key = part()
		c.value = part()
		if all = append(all, c); int(c.table) >= len(tables) {
			err = errFrame
		}
	}
	return from, all, err
}

// state returns what the content is.
func (s *Content) state() state {
	payload, err := wire.PayloadOf(s.Manifest)
	if err != nil {
		return state{}
	}
	return stateOf(sha256.Sum256(payload), len(s.Over))
}

// follow adds the changes of the frames to what the database holds. A file that is not there, is damaged, or has none
// of those that were there is an error. Its changes, if there were any, are missing then: the other copy has them.
func (s *Content) follow(c *file) error {
	if s.lap == (frames.Lap{}) {
		return nil // nothing is ahead of it
	}
	log, all, err := frames.Read(c.aheadPath(), s.lap)
	if err == nil && len(all) == 0 && s.used {
		err = fmt.Errorf("read %s: the changes that were there are gone", c.aheadPath())
	}
	if err != nil {
		return err
	}
	next := *s
	next.Buckets, next.Over, next.was = slices.Clone(s.Buckets), slices.Clone(s.Over), make(map[int][]byte)
	for _, payload := range all {
		from, changes, err := decodeFrame(payload)
		if err == nil && from != next.state() {
			return nil // a program from before these files has gone on without them
		}
		for _, ch := range changes {
			if err == nil {
				err = next.take(ch)
			}
		}
		if err == nil {
			err = next.checkOver()
		}
		if err != nil {
			return fmt.Errorf("read %s: %w: %w", c.aheadPath(), durable.ErrDamaged, err)
		}
		next.from = from
	}
	next.log = log
	*s = next
	return nil
}

// take makes one change.
func (s *Content) take(c change) error {
	switch c.table {
	case inBuckets:
		if len(c.key) != 2 || int(binary.BigEndian.Uint16(c.key)) >= len(s.Buckets) {
			return errFrame
		}
		i := int(binary.BigEndian.Uint16(c.key))
		if _, changed := s.was[i]; !changed {
			s.was[i] = s.Buckets[i]
		}
		s.Buckets[i] = c.value
	case inOver:
		if !bytes.Equal(c.key, binary.BigEndian.AppendUint64(nil, uint64(len(s.Over)))) || len(c.value) != len(wire.ID{}) {
			return errFrame
		}
		s.Over = append(s.Over, wire.ID(c.value))
	default:
		for slot, to := range map[string]*[]byte{string(anchorSlot): &s.anchor, string(secondSlot): &s.Second,
			string(marksSlot): &s.Marks, string(manifestSlot): &s.Manifest} {
			if string(c.key) == slot {
				*to = c.value
			}
		}
	}
	return nil
}

// frame returns the frame that makes the copy hold s; nil: its file of frames can't take it.
func (c *file) frame(s *Stored) []byte {
	m := &s.List.Manifest
	if !c.known || c.log == nil || c.hash == (wire.Hash{}) || c.over < 0 || len(c.buckets) != len(m.Buckets) {
		return nil
	}
	all, err := s.changes(c.buckets, c.over)
	if err != nil {
		return nil // the database says why
	}
	b := encodeFrame(stateOf(c.hash, c.over), all)
	if !c.log.Fits(len(b)) {
		return nil
	}
	return b
}

// begin makes the file of frames if it is missing, and returns the log of a new lap; nil where there can be
// none: then the database takes each list.
func (c *file) begin() (*frames.Log, frames.Lap) {
	path, lap := c.aheadPath(), frames.NewLap()
	if info, err := os.Stat(path); err == nil && info.Size() != aheadSize {
		_ = durable.Remove(path) // it was cut short
	}
	err := frames.Create(path, aheadSize)
	if err == nil || errors.Is(err, fs.ErrExist) {
		var log *frames.Log
		if log, _, err = frames.Read(path, lap); err == nil {
			return log, lap
		}
	}
	c.direct = true
	return nil, frames.Lap{}
}
