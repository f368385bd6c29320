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
	"syscall"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/frames"
	"gatehouse/internal/keyring/files"
)

// A record and its person become durable by one sync: as a frame in a file that never grows. Their own files are
// written at once, too, without a sync; after a power cut they are written again from the frames. The frames are
// erased within a minute once one of these files was, when they are full, and at an orderly stop: then what is left is
// made durable in its own files. Until then a last frame, never synced, says what was erased, so that the frames of a
// program that was killed, or of a copy of the disk, do not bring it back. After a power cut it can be back, and goes
// again as the first time.
//
// A start believes the frames, and not the files. So nothing is written or erased that they do not say, before they
// are gone: where they can't be written they are erased, else their file is, and else it is an error.
const (
	aheadFile = "records.ahead"
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

// ahead is the file of frames of a directory. It is for one goroutine.
type ahead struct {
	side     *files.Dir
	dir      string
	log      *frames.Log // nil: there is no file
	replayed bool        // what an earlier run left is in the files, and erased
	made     bool        // it was tried to make the file in this run
	names    []string    // of files that are durable only in frames
	stale    bool        // a file was erased that frames have
	wrong    bool        // and a start would write it again
	loose    []content   // noted since the last frame
}

func (a *ahead) path() string { return a.side.Join(aheadFile) }

// open makes the file if it is missing.
func (a *ahead) open() {
	if a.made {
		return
	}
	a.made = true
	err := frames.Create(a.path(), aheadSize)
	if err == nil || errors.Is(err, fs.ErrExist) {
		a.log, _, err = frames.Read(a.path(), frames.NewLap())
	}
	if err != nil {
		a.side.Log.Warn().Err(err).Msg("records have no file ahead of theirs; each is written with syncs of its own")
	}
}

// write makes contents durable by one sync, and writes their files.
func (a *ahead) write(all []content) error {
	if err := a.replay(); err != nil {
		return err
	}
	a.open()
	frame := encode(append(slices.Clip(a.loose), all...))
	if a.log != nil && !a.log.Fits(len(frame)) {
		if err := a.settle(); err != nil {
			return err
		}
		frame = encode(all)
	}
	if a.log == nil || !a.log.Fits(len(frame)) {
		return a.writeSynced(all)
	}
	for _, c := range all { // what the disk has no space for must not be in the frame
		if err := os.WriteFile(a.temp(c), c.Data, 0o600); err != nil {
			return err
		}
	}
	if err := a.log.Append(frame); err != nil {
		a.side.Log.Error().Err(err).Msg("the file ahead of the records can't be written")
		if err := a.retract(); err != nil {
			return err
		}
		return a.writeSynced(all)
	}
	a.loose = nil
	return a.rename(all)
}

// rename gives the files of contents that a frame has their names.
func (a *ahead) rename(all []content) error {
	for _, c := range all {
		if err := os.Rename(a.temp(c), filepath.Join(a.dir, c.Name)); err != nil {
			return errors.Join(err, a.retract())
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

// note replaces a file that a frame has, or erases it where data is nil, without a sync: a process that goes on after a kill
// finds it so, and after a power cut it may be as it was before. false: it could not.
func (a *ahead) note(c content) bool {
	if a.log == nil || !slices.Contains(a.names, c.Name) {
		return false
	}
	loose := append(slices.Clip(a.loose), c)
	if a.log.Note(encode(loose)) != nil {
		return false
	}
	a.loose = loose
	return c.Data == nil || os.WriteFile(a.temp(c), c.Data, 0o600) == nil && os.Rename(a.temp(c), filepath.Join(a.dir, c.Name)) == nil
}

// erase erases a file. After an error it may be back after a kill.
func (a *ahead) erase(path string) error {
	if err := a.replay(); err != nil {
		return err
	}
	name := filepath.Base(path)
	noted := a.note(content{Name: name})
	if i := slices.Index(a.names, name); i >= 0 {
		a.names, a.stale, a.wrong = slices.Delete(a.names, i, i+1), true, a.wrong || !noted
	}
	err := durable.Remove(path)
	if a.wrong {
		err = errors.Join(err, a.settle())
	}
	return err
}

// retract erases a frame with what was refused: a start would write it.
func (a *ahead) retract() error {
	a.stale, a.wrong = true, true
	return a.settle()
}

// settle makes the files themselves durable, so that nothing has to be ahead of them, and erases what is.
func (a *ahead) settle() error {
	if a.log == nil || a.log.Empty() {
		return nil
	}
	err := durable.SyncFiles(a.dir, a.names)
	if err != nil { // the kernel tells this once, and does not try again
		err = a.writeAgain()
	}
	if err == nil {
		err = a.clear()
	}
	if err != nil {
		a.side.Log.Error().Err(err).Msg("records can't be made durable in their own files; it is tried again")
		return err
	}
	a.names, a.stale, a.wrong, a.loose = nil, false, false, nil
	return nil
}

// clear erases all frames; where that fails, with their file.
func (a *ahead) clear() error {
	err := a.log.Clear()
	if err == nil {
		return nil
	}
	a.side.Log.Error().Err(err).Msg("the file ahead of the records can't be erased, and is removed")
	if err = durable.Remove(a.path()); err == nil {
		err = durable.SyncFiles(a.side.Path, nil)
	}
	if err == nil {
		a.log = nil
	}
	return err
}

// writeAgain writes the files again that are durable only in frames.
func (a *ahead) writeAgain() error {
	_, last, err := a.read()
	for _, name := range a.names {
		if data := last[name]; err == nil && len(data) > 0 {
			err = a.again(name, data)
		} else if err == nil {
			err = fmt.Errorf("write %s again: %w: no frame has it", name, durable.ErrDamaged)
		}
	}
	return err
}

// replay writes the files again that a power cut may have cost, and erases what was erased, once. Until that was
// done nothing newer may be written.
func (a *ahead) replay() error {
	if a.replayed {
		return nil
	}
	log, last, err := a.read()
	for name, data := range last {
		if err == nil {
			err = a.again(name, data)
		}
	}
	if err == nil {
		a.log = log
		err = a.clear()
	}
	switch {
	case errors.Is(err, durable.ErrDamaged), errors.Is(err, syscall.EIO) && log == nil:
		a.side.Log.Error().Err(err).Msg("the file ahead of the records can't be used")
		a.side.PutAside(a.path())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		a.side.Log.Error().Err(err).Msg("records can't be written again from the file ahead of them; it is tried again")
		return err
	}
	a.replayed = true
	return nil
}

// read returns what the frames have, by name; nil: the file was erased.
func (a *ahead) read() (*frames.Log, map[string][]byte, error) {
	log, all, err := frames.Read(a.path(), frames.Lap{})
	if err != nil {
		return nil, nil, err
	}
	last := make(map[string][]byte)
	for _, frame := range all {
		some, ok := decode(frame)
		if !ok {
			return nil, nil, fmt.Errorf("read %s: %w: not what was written", a.path(), durable.ErrDamaged)
		}
		for _, c := range some {
			if filepath.Base(c.Name) == c.Name && (strings.HasSuffix(c.Name, recordSuffix) || strings.HasSuffix(c.Name, personSuffix)) {
				last[c.Name] = c.Data
			}
		}
	}
	return log, last, nil
}

func (a *ahead) again(name string, data []byte) error {
	path := filepath.Join(a.dir, name)
	if len(data) == 0 {
		return durable.Remove(path)
	}
	if err := durable.MakeDir(a.dir, 0o700); err != nil {
		return err
	}
	return durable.WriteFile(path, data, 0o600)
}
