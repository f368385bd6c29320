// Package replace makes a new machine the gateway in place of a burned one with the registry's copy
// of its backup: a one-time token fetches the backup, the recovery code opens it here, and then the
// same token enrols the machine.
//
// The registry is not trusted: nothing is restored that the code does not open, and the person is
// told when the backup is not the newest one.
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
	Token    string // from registryd gateway add --replace
	Code     recovery.Code
	Target   restore.Target
	Software string
	Network  network.Network // the network in which the registry is reached
}

// Result is the result of a replacement; with a nil error the machine is the gateway.
type Result struct {
	restore.Result
	// Older is why the registry's newest backup was not restored; empty: it was.
	Older string `json:"older,omitempty"`
	// Later is why the machine is not enrolled yet; empty: it is. The doors do not wait for it.
	Later string `json:"later,omitempty"`
}

// enrolWithin is the most time that the doors wait for the registry.
const enrolWithin = 30 * time.Second

// FromRegistry replaces a gateway. Errors are *socket.Error, and then nothing has changed: 422 if
// token or code are invalid, the token is not for the gateway of a site file that is there, or this
// machine is a gateway already, 403 if the code does not open the
// registry's backup, 404 if it has none, 400 if that is damaged.
func FromRegistry(ctx context.Context, o Options) (r Result, err error) {
	token, err := wire.ParseToken(o.Token)
	if err != nil {
		return r, socket.Refused(http.StatusUnprocessableEntity, "the registry's operator makes one: registryd gateway add --replace", "this is no token: %v", err)
	}
	if s, err := site.Load(o.Target.Config); err == nil { // none as a rule; what is wrong with one Restore says
		if err := enrol.CheckPlace(token, s.Building, s.Gateway); err != nil {
			return r, refused(http.StatusUnprocessableEntity, err)
		}
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

// fetch returns the newest backup at the registry that the code opens, and why a newer one is not
// used.
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

// refused keeps the hint of an error.
func refused(status int, err error) error {
	var said *socket.Error
	if errors.As(err, &said) {
		return socket.Refused(status, said.Hint, "%s", said.Message)
	}
	return socket.Refused(status, "restore it from the stick, or try again later", "%v", err)
}

// open opens the registry's data as the backup of the gateway at a place.
func open(data []byte, at wire.Place, code recovery.Code) (b restore.Backup, err error) {
	if b, err = restore.Open(data, code); err == nil && (b.Building != at.Building || b.Gateway != at.Gateway) {
		err = fmt.Errorf("%w of this token: it is of %s/%s", backup.ErrForeign, b.Building, b.Gateway)
	}
	return b, err
}

// enlist enrols the machine at the registry, with a key of its own.
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
