// Package rescue answers on the daemon's socket what is about the gateway's backups and its
// recovery code.
package rescue

import (
	"errors"
	"net/http"
	"time"

	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// backups are those of the gateway, and its recovery code.
type backups struct{ *gateway.Gateway }

// Routes has a server answer for a gateway.
func Routes(s *socket.Server, g *gateway.Gateway) {
	b := backups{g}
	socket.Handle(s, "GET /v1/recovery", b.getRecovery)
	socket.Handle(s, "POST /v1/recovery", b.postRecovery)
	socket.Handle(s, "POST /v1/recovery/rehearse", b.postRehearse)
	socket.Handle(s, "POST /v1/backup", b.postBackup)
}

// enter records an act, with who asked for it.
func (g backups) enter(r *http.Request, what wire.Reason) {
	g.Journal.Queue(wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeDone, Reason: what, Source: caller.Of(r.Context()).String()}, wire.Who{})
}

func (g backups) getRecovery(_ *http.Request, _ socket.None) (any, error) {
	zone := g.Site.Zone()
	s := g.Backup.Status()
	r := control.Recovery{Code: timeShown(s.Code, zone), Proved: timeShown(s.Proved, zone), Made: timeShown(s.Made, zone), Size: s.Size, Problem: s.Problem}
	if s.Away.Dir != "" {
		r.Away = &control.Away{Directory: s.Away.Dir, Made: timeShown(s.Away.Made, zone), Problem: s.Away.Problem}
	}
	if g.Central != nil && g.Central.Offsite != nil {
		at := g.Central.Offsite.Status()
		r.Registry = &control.Offsite{Made: timeShown(at.Made, zone), Kept: timeShown(at.Kept, zone), Problem: at.Problem}
	}
	return r, nil
}

// timeShown is a time in the zone of the building; nil: none.
func timeShown(t time.Time, zone *time.Location) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(zone)
	return &t
}

func (g backups) postRecovery(r *http.Request, in control.NewRecovery) (any, error) {
	c, err := g.Backup.NewCode(in.Replace)
	if err != nil {
		return nil, err
	}
	g.enter(r, wire.ReasonRecoveryCode)
	return control.RecoveryCode{Code: c.String()}, nil
}

func (g backups) postRehearse(_ *http.Request, in control.RecoveryCode) (any, error) {
	c, err := recovery.Parse(in.Code)
	if err != nil {
		return nil, socket.Refused(http.StatusUnprocessableEntity, "type it as it stands on the sheet", "%v", err)
	}
	r, err := g.Backup.Rehearse(c)
	if errors.Is(err, backup.ErrCode) {
		return nil, socket.Refused(http.StatusForbidden, "look for the newest sheet; where there is none, gatehouse recovery new --replace makes another code", "%v", err)
	}
	return control.Rehearsed{Building: r.Building, Gateway: r.Gateway, Made: r.Made.In(g.Site.Zone()), List: r.List, Tenancies: r.Tenancies, Doors: r.Doors}, err
}

func (g backups) postBackup(r *http.Request, _ socket.None) (any, error) {
	name, data, err := g.Backup.Take()
	if err != nil {
		return nil, err
	}
	g.enter(r, wire.ReasonBackupTaken)
	return control.Backup{Name: name, Data: data, State: g.Site.State}, nil
}
