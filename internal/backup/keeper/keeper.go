// Package keeper makes the backups of a running gateway: each night, sealed, and proved by a
// restore into a temporary directory.
//
// It makes none before there is a recovery code, which only the person who read it knows.
package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/backup"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/disk"
	"gatehouse/internal/durable"
	"gatehouse/internal/keyring"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// Options of a Keeper; all but Log are needed.
type Options struct {
	Site     *site.Site
	Keyring  *keyring.Keyring
	Settle   func() error     // leaves nothing ahead of the desk's file; nil: there is no desk
	Now      func() time.Time // the wall clock
	Software string
	Log      zerolog.Logger
}

// Keeper makes and stores the backups of a gateway. It is safe for concurrent use.
type Keeper struct {
	o     Options
	fresh chan struct{} // a code was made

	work sync.Mutex // serialises making backups and trying codes

	mu    sync.Mutex // guards the rest
	key   *backup.Key
	state Status
}

// Status is the state of the backups.
type Status struct {
	Code    time.Time // when the recovery code was made; zero: none, and no backups
	Proved  time.Time // when it last opened a backup; zero: never
	Made    time.Time // when the newest good backup was made; zero: none
	Size    int       // of the newest, bytes
	Problem string    // why the last one failed; empty: it did not
	Away    Away
}

// Away is the copy in another directory, which the site file names. One on the disk of the state
// directory would be lost with it: it is none, and none is put there.
type Away struct {
	Dir     string    // empty: none is named
	Made    time.Time // when the newest there was made; zero: none was seen
	Problem string    // why the last copy failed; empty: it did not
}

// directory is the directory of the backup in the state directory.
const directory = "backup"

// proving is the temporary directory for the proof, in directory.
const proving = "proving"

// New returns a Keeper with the state that is on disk. Run starts it.
func New(o Options) *Keeper {
	k := &Keeper{o: o, fresh: make(chan struct{}, 1)}
	k.state.Away.Dir = o.Site.Backup
	key, err := backup.LoadKey(k.keyPath())
	switch {
	case err == nil:
		k.key = key
		k.state.Code, k.state.Proved = key.Made, key.Proved
	case !errors.Is(err, fs.ErrNotExist):
		k.state.Problem = err.Error() + ": make a new recovery code with gatehouse recovery new --replace"
	}
	if k.key != nil || k.state.Problem != "" { // of a key that can't be read a backup may be there
		k.state.Made, k.state.Size, err = k.look(k.path())
		if err != nil && k.state.Problem == "" {
			k.state.Problem = err.Error()
		}
		k.lookAway()
	}
	return k
}

func (k *Keeper) keyPath() string { return k.o.Site.Path("keys", backup.KeyFile) }

func (k *Keeper) name() string {
	return backup.Header{Building: k.o.Site.Building, Gateway: k.o.Site.Gateway}.Name()
}

func (k *Keeper) path() string { return k.o.Site.Path(directory, k.name()) }

// look reads a backup. A missing file is no error, nor is one that another recovery code opens: the
// present one has none then.
func (k *Keeper) look(path string) (made time.Time, size int, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return made, 0, nil
	}
	if err != nil {
		return made, 0, err
	}
	f, err := backup.Decode(data)
	if err != nil {
		return made, 0, fmt.Errorf("%s: %w", path, err)
	}
	if k.key != nil {
		if _, err := f.Open(k.key); err != nil {
			return made, 0, nil
		}
	}
	return f.Made, len(data), nil
}

func (k *Keeper) lookAway() {
	if k.o.Site.Backup == "" || k.elsewhere() != nil {
		return
	}
	made, _, err := k.look(filepath.Join(k.o.Site.Backup, k.name()))
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil && !made.IsZero() {
		k.state.Away.Made = made
	}
}

// Status returns the state of the backups without disk access.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// lookEvery is how often Run checks whether a backup is due.
const lookEvery = time.Hour

// Run makes a backup each night, once there is a recovery code, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	_ = os.RemoveAll(k.o.Site.Path(directory, proving)) // left by an interrupted run
	if k.Status().Code.IsZero() {
		select {
		case <-ctx.Done():
			return
		case <-k.fresh:
		}
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		switch {
		case k.due(k.o.Now()):
			_ = k.make() // Status has the error
		case k.behind():
			k.copyAway()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-k.fresh:
		}
	}
}

// nightly is the hour of the building's night in which backups are made.
const nightly = 3

// due reports whether a backup is to be made: each night; within hours if that was missed or
// failed; at once if there is none, or the clock was set back behind the last one.
func (k *Keeper) due(now time.Time) bool {
	s := k.Status()
	zone, err := time.LoadLocation(k.o.Site.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	age := now.Sub(s.Made)
	return s.Made.IsZero() || s.Problem != "" || age < -lookEvery || age > 36*time.Hour ||
		age > 6*time.Hour && now.In(zone).Hour() == nightly
}

// behind reports whether the copy in the other directory is older than the backup here.
func (k *Keeper) behind() bool {
	s := k.Status()
	return s.Away.Dir != "" && s.Away.Made.Before(s.Made)
}

// copyAway copies the backup to the other directory, which may have appeared.
func (k *Keeper) copyAway() {
	k.work.Lock()
	defer k.work.Unlock()
	data, err := os.ReadFile(k.path())
	if err != nil {
		k.o.Log.Error().Err(err).Msg("the backup can't be read")
		return
	}
	k.putAway(data)
}

// make makes a backup, proves it, and stores it. Status has the error.
func (k *Keeper) make() error {
	k.work.Lock()
	defer k.work.Unlock()
	data, made, err := k.compose()
	if err == nil {
		err = k.keep(data)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.state.Problem = err.Error()
		k.o.Log.Error().Err(err).Msg("no backup could be made")
		return err
	}
	k.state.Problem, k.state.Made, k.state.Size = "", made, len(data)
	return nil
}

// compose makes a backup and proves it: it is opened and restored into a temporary directory.
func (k *Keeper) compose() (data []byte, made time.Time, err error) {
	key, err := k.sealKey()
	if err != nil {
		return nil, made, err
	}
	if k.o.Settle != nil {
		if err := k.o.Settle(); err != nil {
			return nil, made, fmt.Errorf("put a backup together: %w", err)
		}
	}
	content, err := gather(k.o.Site, k.o.Keyring)
	if err != nil {
		return nil, made, err
	}
	h := backup.Header{Building: k.o.Site.Building, Gateway: k.o.Site.Gateway, Made: k.o.Now(), Software: k.o.Software}
	if data, err = backup.Seal(key, h, content); err != nil {
		return nil, made, err
	}
	f, err := backup.Decode(data)
	if err != nil {
		return nil, made, err
	}
	opened, err := f.Open(key)
	if err != nil {
		return nil, made, err
	}
	_, err = k.dry(restore.Backup{Header: f.Header, Content: opened, Key: key})
	return data, f.Made, err
}

// sealKey returns the key of the backups; an error before there is a recovery code.
func (k *Keeper) sealKey() (*backup.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		return nil, socket.Refused(http.StatusConflict, "make one with gatehouse recovery new", "this gateway has no recovery code yet, so it makes no backups")
	}
	return k.key, nil
}

// dry restores a backup into a temporary directory, and deletes that.
func (k *Keeper) dry(b restore.Backup) (restore.Result, error) {
	dir := k.o.Site.Path(directory, proving)
	if err := errors.Join(os.RemoveAll(dir), durable.MakeDir(dir, 0o700)); err != nil {
		return restore.Result{}, fmt.Errorf("prove the backup: %w", err)
	}
	r, err := restore.Dry(dir, b)
	return r, errors.Join(err, os.RemoveAll(dir))
}

// keep writes a backup, reads it back, and copies it to the other directory.
func (k *Keeper) keep(data []byte) error {
	if err := durable.MakeDir(filepath.Dir(k.path()), 0o700); err != nil {
		return fmt.Errorf("keep the backup: %w", err)
	}
	if err := durable.WriteFile(k.path(), data, 0o600); err != nil {
		return fmt.Errorf("keep the backup: %w", err)
	}
	if again, err := os.ReadFile(k.path()); err != nil || !bytes.Equal(again, data) {
		return fmt.Errorf("keep the backup: %s is not as it was written: %w", k.path(), err)
	}
	k.putAway(data)
	return nil
}

// elsewhere returns why the other directory is none: it is missing, or, as the place of a stick that
// is not in, on the gateway's own disk.
func (k *Keeper) elsewhere() error {
	shared, err := disk.Shared(k.o.Site.Backup, k.o.Site.State)
	if err == nil && shared != "" {
		err = errors.New("that directory is on the gateway's own disk or card, and is lost with it")
	}
	return err
}

// putAway copies the backup to the directory that the site file names. A missing directory, such as
// an unplugged stick, is no failure of the backup.
func (k *Keeper) putAway(data []byte) {
	dir := k.o.Site.Backup
	if dir == "" {
		return
	}
	err := k.elsewhere()
	if err == nil {
		err = durable.WriteFile(filepath.Join(dir, k.name()), data, 0o600)
	}
	k.mu.Lock()
	k.state.Away.Problem = ""
	if err != nil {
		k.state.Away.Problem = err.Error()
	}
	k.mu.Unlock()
	if err == nil {
		k.lookAway()
	}
}
