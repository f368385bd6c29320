package setup

import (
	"context"
	"errors"
	"net/http"

	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/replace"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// postRestore makes this machine replace the gateway of a backup. The site file comes last, and
// then the house is served.
func (s *Server) postRestore(r *http.Request, in control.RestoreRequest) (control.Restored, error) {
	code, err := recovery.Parse(in.Code)
	if err != nil {
		return control.Restored{}, socket.Refused(http.StatusUnprocessableEntity, "type it as it stands on the sheet", "%v", err)
	}
	if !s.restoring.TryLock() {
		return control.Restored{}, socket.Refused(http.StatusConflict, "wait until it is done", "a backup is being restored already")
	}
	defer s.restoring.Unlock()
	var done replace.Result
	if in.Token != "" {
		// Who asks may go: the doors are served when it is done.
		done, err = replace.FromRegistry(context.WithoutCancel(r.Context()), replace.Options{Token: in.Token, Code: code,
			Target: restore.Target{Config: s.o.File}, Software: "gatehouse " + s.o.Version, Network: s.o.Network})
	} else {
		done.Result, err = s.putDown(in.Data, code)
	}
	if err != nil {
		return control.Restored{}, err
	}
	s.o.Log.Info().Str("building", done.Building).Str("gateway", done.Gateway).Msg("this machine is the gateway of a backup now")
	select {
	case s.written <- struct{}{}:
	default: // another signal is pending
	}
	return control.Restored{Building: done.Building, Gateway: done.Gateway, Made: done.Made, Registry: done.Registry, Tenancies: done.Tenancies, Doors: done.Doors,
		Enrolled: in.Token != "" && done.Later == "", Later: done.Later, Older: done.Older}, nil
}

// putDown restores a backup that was handed over.
func (s *Server) putDown(data []byte, code recovery.Code) (restore.Result, error) {
	b, err := restore.Open(data, code)
	switch {
	case errors.Is(err, backup.ErrCode):
		return restore.Result{}, socket.Refused(http.StatusForbidden, "take the sheet that goes with this backup, or the newest backup", "%v", err)
	case err != nil:
		return restore.Result{}, socket.Refused(http.StatusBadRequest, "take another copy of the backup", "%v", err)
	}
	return restore.Restore(b, restore.Target{Config: s.o.File})
}
