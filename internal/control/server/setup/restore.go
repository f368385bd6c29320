package setup

import (
	"errors"
	"net/http"

	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// postRestore makes this machine replace the gateway of a backup. The site file comes last, and
// then the house is served.
func (s *Server) postRestore(_ *http.Request, in control.RestoreRequest) (control.Restored, error) {
	code, err := recovery.Parse(in.Code)
	if err != nil {
		return control.Restored{}, socket.Refused(http.StatusUnprocessableEntity, "type it as it stands on the sheet", "%v", err)
	}
	if !s.restoring.TryLock() {
		return control.Restored{}, socket.Refused(http.StatusConflict, "wait until it is done", "a backup is being restored already")
	}
	defer s.restoring.Unlock()
	b, err := restore.Open(in.Data, code)
	switch {
	case errors.Is(err, backup.ErrCode):
		return control.Restored{}, socket.Refused(http.StatusForbidden, "take the sheet that goes with this backup, or the newest backup", "%v", err)
	case err != nil:
		return control.Restored{}, socket.Refused(http.StatusBadRequest, "take another copy of the backup", "%v", err)
	}
	r, err := restore.Restore(b, restore.Target{Config: s.o.File})
	if err != nil {
		return control.Restored{}, err
	}
	s.o.Log.Info().Str("building", r.Building).Str("gateway", r.Gateway).Msg("this machine is the gateway of a backup now")
	select {
	case s.written <- struct{}{}:
	default: // another signal is pending
	}
	return control.Restored{Building: r.Building, Gateway: r.Gateway, Made: r.Made, Registry: r.Registry, Tenancies: r.Tenancies, Doors: r.Doors}, nil
}
