// Package replace makes a new machine the gateway of one that burned by the registry's
// snapshot: the backup comes from there by a one-time token, the recovery code opens it here,
// and by the same token the machine is enrolled then.
//
// The registry is not believed: what the code does not open is not put down, and an older
// backup than the newest is told.
package replace

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/durable"
	"gatehouse/internal/enrol"
	"gatehouse/internal/network"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Options of a replacement. All but Network are needed.
type Options struct {
	Token    string // as registryd gateway add --replace printed it
	Code     recovery.Code
	Target   restore.Target
	Software string
	Network  network.Network // where the registry's HTTPS is
}

// Result is what came of it: the gateway is there when there is no error.
type Result struct {
	restore.Result
	// Older says why the registry's newest backup was not the one; empty: it was.
	Older string `json:"older,omitempty"`
	// Later says why the machine is not enrolled yet; empty: it is. The doors don't wait for it.
	Later string `json:"later,omitempty"`
}

// enrolWithin bounds how long the doors wait for the registry.
const enrolWithin = 30 * time.Second

// FromRegistry does it. Errors are *socket.Error: 422 where token or code are none or this
// machine is a gateway already, 403 where the code does not open what the registry has, 404 where it has none, 400
// where that is damaged. Nothing was changed then.
func FromRegistry(ctx context.Context, o Options) (r Result, err error) {
	token, err := wire.ParseToken(o.Token)
	if err != nil {
		return r, socket.Refused(http.StatusUnprocessableEntity, "the registry's operator makes one: registryd gateway add --replace", "this is no token: %v", err)
	}
	b, older, err := fetch(ctx, o, token)
	if err != nil {
		return r, err
	}
	if r.Result, err = restore.Restore(b, o.Target); err != nil {
		return r, err
	}
	if older != nil {
		r.Older = older.Error()
	}
	if err := enlist(ctx, o, token); err != nil {
		r.Later = err.Error()
	}
	return r, nil
}

const stick = "restore it from the stick, or take the newest sheet"

// fetch returns the newest backup at the registry that the code opens, and why a newer one
// was left.
func fetch(ctx context.Context, o Options, token wire.Token) (b restore.Backup, newer, err error) {
	for turn := range 2 {
		data, err := enrol.FetchSnapshot(ctx, o.Network, token, turn)
		if err == nil {
			b, err = open(data, token.At(), o.Code)
		}
		switch {
		case err == nil:
			return b, newer, nil
		case turn == 1:
			return b, nil, newer
		case errors.Is(err, enrol.ErrNoSnapshot):
			return b, nil, refused(http.StatusNotFound, err)
		case errors.Is(err, backup.ErrCode):
			newer = socket.Refused(http.StatusForbidden, stick, "%v", err)
		case errors.Is(err, backup.ErrDamaged), errors.Is(err, backup.ErrCut), errors.Is(err, backup.ErrForeign), errors.Is(err, backup.ErrNewer):
			newer = socket.Refused(http.StatusBadRequest, "restore it from the stick, and tell the registry's operator", "what the registry sent can't be used: %v", err)
		default:
			return b, nil, refused(http.StatusBadGateway, err)
		}
	}
	return b, nil, newer
}

// refused keeps what is said to do.
func refused(status int, err error) error {
	var said *socket.Error
	if errors.As(err, &said) {
		return socket.Refused(status, said.Hint, "%s", said.Message)
	}
	return socket.Refused(status, "restore it from the stick, or try again later", "%v", err)
}

// open opens what a registry has sent as the backup of a gateway.
func open(data []byte, at wire.Place, code recovery.Code) (b restore.Backup, err error) {
	if b, err = restore.Open(data, code); err == nil && (b.Building != at.Building || b.Gateway != at.Gateway) {
		err = fmt.Errorf("%w of this token: it is of %s/%s", backup.ErrForeign, b.Building, b.Gateway)
	}
	return b, err
}

// enlist makes the machine known to the registry, with a key of its own.
func enlist(ctx context.Context, o Options, token wire.Token) error {
	s, err := site.Load(o.Target.Config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, enrolWithin)
	defer cancel()
	dir := s.Path("keys")
	_, err = enrol.Enrol(ctx, enrol.Options{Token: token, Dir: dir, Building: s.Building, Gateway: s.Gateway, Doors: s.DoorIDs(), Software: o.Software, Network: o.Network})
	return errors.Join(err, durable.HandOver(s.State, dir))
}
