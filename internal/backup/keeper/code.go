package keeper

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/socket"
)

// Take makes a backup now, and returns it with its file name.
func (k *Keeper) Take() (name string, data []byte, err error) {
	if err := k.make(); err != nil {
		return "", nil, err
	}
	data, err = os.ReadFile(k.path())
	return k.name(), data, err
}

// NewCode makes a recovery code, and Run then the first backup. A gateway that has a code refuses,
// unless replace is true: the new code opens only later backups.
func (k *Keeper) NewCode(replace bool) (c recovery.Code, err error) {
	k.work.Lock()
	defer k.work.Unlock()
	if !replace && !k.Status().Code.IsZero() {
		return c, socket.Refused(http.StatusConflict, "gatehouse recovery rehearse shows whether it still opens a backup; gatehouse recovery new --replace makes another, for the backups from then on",
			"this gateway has a recovery code already, and nobody can show it again")
	}
	c = recovery.New()
	key, err := backup.NewKey(c, k.o.Now())
	if err != nil {
		return c, err
	}
	if err := key.Save(k.keyPath()); err != nil {
		return recovery.Code{}, err
	}
	k.mu.Lock()
	k.key = key
	k.state = Status{Code: key.Made, Away: Away{Dir: k.o.Site.Backup}}
	k.mu.Unlock()
	select {
	case k.fresh <- struct{}{}:
	default:
	}
	return c, nil
}

// Rehearse makes a backup and restores it with a code into a temporary directory, as a new machine
// would. The error is backup.ErrCode for another gateway's code.
func (k *Keeper) Rehearse(c recovery.Code) (restore.Result, error) {
	if err := k.try(c); err != nil {
		return restore.Result{}, err
	}
	if err := k.make(); err != nil {
		return restore.Result{}, err
	}
	k.work.Lock()
	defer k.work.Unlock()
	data, err := os.ReadFile(k.path())
	if err != nil {
		return restore.Result{}, fmt.Errorf("rehearse: %w", err)
	}
	b, err := restore.Open(data, c)
	if err != nil {
		return restore.Result{}, err
	}
	r, err := k.dry(b)
	if err != nil {
		return r, err
	}
	return r, k.proved()
}

// try refuses a wrong code before anything is written.
func (k *Keeper) try(c recovery.Code) error {
	k.work.Lock()
	defer k.work.Unlock()
	key, err := k.sealKey()
	if err == nil {
		_, err = key.Wrap.Unwrap(c)
	}
	return err
}

// proved stores that the code has opened a backup.
func (k *Keeper) proved() error {
	k.mu.Lock()
	next := *k.key
	k.mu.Unlock()
	next.Proved = k.o.Now().UTC().Truncate(time.Second)
	if err := next.Save(k.keyPath()); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key, k.state.Proved = &next, next.Proved
	return nil
}
