package recordfiles

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/frames"
	"gatehouse/internal/keyring/files"
	"gatehouse/sync/wire"
)

// A record and its person become durable by one sync: as a frame in a file that never grows. Their own files are
// written at once, too, without a sync; after a power cut they are written again from the frames. The frames are
// erased within a minute once one of these files was, when they are full, and at an orderly stop: then what is left is
// made durable in its own files. Until then a small file names what was erased, without a sync, so that the frames of a
// program that was killed, or of a copy of the disk, do not bring it back. After a power cut it can be back, and goes
// again as the first time.
const (
	aheadFile = "records.ahead"
	goneFile  = "records.gone"
	aheadSize = 256 << 10 // bytes; a check-in takes some 4 thousand
)

// content is a file that is to have some content.
type content struct {
	Name string
	Data []byte
}

// encode encodes contents: name and data of each, after their lengths.
func encode(all []content) (b []byte) {
	for _, c := range all {
		b = append(binary.AppendUvarint(b, uint64(len(c.Name))), c.Name...)
		b = append(binary.AppendUvarint(b, uint64(len(c.Data))), c.Data...)
	}
	return b
}

// decode returns what was encoded; false: it was something else.
func decode(b []byte) (all []content, ok bool) {
	part := func() []byte {
		n, size := binary.Uvarint(b)
		if ok = size > 0 && n <= uint64(len(b)-size); !ok {
			return nil
		}
		part := b[size : size+int(n)]
		b = b[size+int(n):]
		return part
	}
	for ok = true; ok && len(b) > 0; {
		if name := part(); ok {
			all = append(all, content{string(name), part()})
		}
	}
	return all, ok
}

// gone is what the small file has (files.Row): files that must not come back from the frames of a lap. In another lap
// it says nothing, so that it does no harm where a power cut brings an old one back.
type gone struct {
	Lap   wire.ID  `json:"lap"`
	Names []string `json:"names"`
}

// ahead is the file of frames of a directory. It is for one goroutine.
type ahead struct {
	side  *files.Dir
	dir   string
	log   *frames.Log // nil: there is none, or it can't take anything
	made  bool        // it was tried to make it in this run
	names []string    // of files that are durable only in frames
	gone  gone        // files that were erased and that frames have
}

func (a *ahead) path() string { return a.side.Join(aheadFile) }

func (a *ahead) gonePath() string { return a.side.Join(goneFile) }

// open makes the file if it is missing.
func (a *ahead) open() error {
	a.made = true
	if err := frames.Create(a.path(), aheadSize); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return a.begin()
}

// begin begins a lap, in which nothing was erased.
func (a *ahead) begin() (err error) {
	lap := frames.NewLap()
	a.gone = gone{Lap: wire.ID(lap)}
	a.log, _, err = frames.Read(a.path(), lap)
	return err
}

// write makes contents durable by one sync, and writes their files. A file that is gone of this lap is written with
// syncs of its own: a start passes over its frames.
func (a *ahead) write(all []content) error {
	if a.log == nil && !a.made {
		if err := a.open(); err != nil {
			a.side.Log.Warn().Err(err).Msg("records have no file ahead of theirs; each is written with syncs of its own")
		}
	}
	frame := encode(all)
	if a.log != nil && !a.log.Fits(len(frame)) {
		a.settle()
	}
	if a.log == nil || !a.log.Fits(len(frame)) || slices.ContainsFunc(all, a.isGone) {
		return a.writeSynced(all)
	}
	for _, c := range all { // what the disk has no space for must not be in the frame
		if err := os.WriteFile(a.temp(c), c.Data, 0o600); err != nil {
			return err
		}
	}
	if err := a.log.Append(frame); err != nil {
		a.side.Log.Error().Err(err).Msg("the file ahead of the records can't be written")
		a.log = nil // what it has is unknown; a start finds out
		return a.writeSynced(all)
	}
	for _, c := range all {
		if err := os.Rename(a.temp(c), filepath.Join(a.dir, c.Name)); err != nil {
			a.settle() // or it would be there after a power cut
			return err
		}
		if !slices.Contains(a.names, c.Name) {
			a.names = append(a.names, c.Name)
		}
	}
	return nil
}

func (a *ahead) temp(c content) string { return filepath.Join(a.dir, c.Name+newSuffix) }

func (a *ahead) writeSynced(all []content) error {
	for _, c := range all {
		if err := durable.WriteFile(filepath.Join(a.dir, c.Name), c.Data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (a *ahead) isGone(c content) bool { return slices.Contains(a.gone.Names, c.Name) }

// erase erases a file.
func (a *ahead) erase(path string) error {
	if i := slices.Index(a.names, filepath.Base(path)); i >= 0 {
		a.gone.Names = append(a.gone.Names, a.names[i])
		a.names = slices.Delete(a.names, i, i+1)
		if err := a.writeGone(); err != nil {
			a.side.Log.Warn().Err(err).Msg("what was erased of the records can't be named; a start within a minute may bring it back")
		}
	}
	return durable.Remove(path)
}

func (a *ahead) writeGone() error {
	row, err := files.Row(a.gone)
	if err != nil {
		return err
	}
	temp := a.gonePath() + newSuffix
	if err := os.WriteFile(temp, row, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, a.gonePath())
}

// readGone returns what was erased of the frames of a lap. A file that can't be read is as one that a power cut took.
func (a *ahead) readGone(lap frames.Lap) []string {
	var g gone
	if err := files.ReadRow(a.gonePath(), &g); err != nil || g.Lap != wire.ID(lap) {
		return nil
	}
	return g.Names
}

// clear erases the frames, and then what says that some of them count no more.
func (a *ahead) clear() error {
	if err := frames.Clear(a.path()); err != nil {
		return err
	}
	_ = durable.Remove(a.gonePath()) // it is of no lap any more
	return nil
}

// settle makes the files themselves durable, so that nothing has to be ahead of them.
func (a *ahead) settle() {
	if a.log == nil || a.log.Empty() {
		return
	}
	var err error
	if len(a.names) > 0 {
		err = durable.SyncFiles(a.dir, a.names)
	}
	if err == nil {
		err = a.clear()
	}
	if err == nil {
		a.names = nil
		err = a.begin()
	}
	if err != nil {
		a.side.Log.Error().Err(err).Msg("records can't be made durable in their own files; it is tried again")
	}
}

// replay writes the files again that a power cut may have cost.
func (a *ahead) replay() {
	if a.made {
		return
	}
	lap, err := frames.LapOf(a.path())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var all [][]byte
	if err == nil {
		_, all, err = frames.Read(a.path(), lap)
	}
	if err != nil {
		a.bad(err)
		return
	}
	last, err := a.last(all, a.readGone(lap))
	if err != nil {
		a.bad(err)
		return
	}
	for name, data := range last {
		err := durable.MakeDir(a.dir, 0o700)
		if err == nil {
			err = durable.WriteFile(filepath.Join(a.dir, name), data, 0o600)
		}
		if err != nil {
			a.side.Log.Error().Err(err).Msg("record can't be written again")
			return
		}
	}
	if err := a.clear(); err != nil {
		a.bad(err)
	}
}

// last returns the last content of each file in frames, without those that are gone.
func (a *ahead) last(all [][]byte, gone []string) (map[string][]byte, error) {
	last := make(map[string][]byte)
	for _, frame := range all {
		some, ok := decode(frame)
		if !ok {
			return nil, fmt.Errorf("read %s: %w: not what was written", a.path(), durable.ErrDamaged)
		}
		for _, c := range some {
			if filepath.Base(c.Name) == c.Name && (strings.HasSuffix(c.Name, recordSuffix) || strings.HasSuffix(c.Name, personSuffix)) {
				last[c.Name] = c.Data
			}
		}
	}
	for _, name := range gone {
		delete(last, name)
	}
	return last, nil
}

// bad reports a file that can't be used. A damaged one is put aside.
func (a *ahead) bad(err error) {
	a.side.Log.Error().Err(err).Msg("the file ahead of the records can't be used")
	if errors.Is(err, durable.ErrDamaged) {
		a.side.PutAside(a.path())
	}
}
