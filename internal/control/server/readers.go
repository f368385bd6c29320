package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// readers are those of the doors, as installers see them.
type readers struct{ *gateway.Gateway }

func (g readers) routes(s *socket.Server) {
	const one = "/v1/doors/{door}/readers/{reader}/"
	socket.Handle(s, "GET /v1/readers", g.getReaders)
	socket.Handle(s, "POST "+one+"install", g.postInstall)
	socket.Handle(s, "DELETE "+one+"install", g.deleteInstall)
	socket.Handle(s, "POST "+one+"rekey", g.postRekey)
	socket.Handle(s, "POST "+one+"configure", g.postConfigure)
}

func (g readers) getReaders(_ *http.Request, _ socket.None) (any, error) {
	all := []control.Reader{}
	for _, d := range g.Doors {
		s := d.Door.Status()
		for _, r := range d.Readers {
			dev := readerStatus(r, s)
			out := control.Reader{Door: d.Config.ID, ID: r.Config.ID, Type: r.Config.Type, Profile: r.Config.Profile, Direction: r.Config.Direction,
				Online: dev.Online, Line: lineOf(r), Fault: dev.Fault, Hint: dev.Hint}
			if r.OSDP != nil {
				out.OSDP = busStatus(r)
			}
			all = append(all, out)
		}
	}
	return all, nil
}

// secured finds a reader that can have a key.
func secured(g *gateway.Gateway, r *http.Request) (*gateway.Reader, error) {
	s, err := served(g, r)
	switch {
	case err != nil:
		return nil, err
	case s.OSDP == nil:
		return nil, socket.Refused(http.StatusConflict, "only OSDP readers have keys and addresses", "reader %s is of type %s", s.Config.Name(s.Door.Config.ID), s.Config.Type)
	case s.Config.Security == site.SecurityNone:
		return nil, socket.Refused(http.StatusConflict, `remove security = "none" from the site file, then start the daemon again`, "reader %s is set to clear text", s.Config.Name(s.Door.Config.ID))
	}
	return s, nil
}

func (g readers) postInstall(r *http.Request, in control.Install) (any, error) {
	s, err := secured(g.Gateway, r)
	if err != nil {
		return nil, err
	}
	if s.OSDP.Status().Secure {
		return nil, socket.Refused(http.StatusConflict, "gatehouse reader rekey gives it another key without a window that anybody could use",
			"reader %s has a key of its own already", s.Config.Name(s.Door.Config.ID))
	}
	if err := s.OSDP.Install(time.Duration(in.Minutes) * time.Minute); err != nil {
		return nil, socket.Refused(http.StatusUnprocessableEntity, "1 to 10 minutes", "%v", err)
	}
	return struct{}{}, nil
}

func (g readers) deleteInstall(r *http.Request, _ socket.None) (any, error) {
	s, err := secured(g.Gateway, r)
	if err == nil {
		s.OSDP.CloseInstall()
	}
	return struct{}{}, err
}

// rekeyWait is how long a reader may take to show that it has its new key.
const rekeyWait = 20 * time.Second

// postRekey answers when the reader has shown that it has its new key.
func (g readers) postRekey(r *http.Request, _ socket.None) (any, error) {
	s, err := secured(g.Gateway, r)
	if err != nil {
		return nil, err
	}
	before, err := s.Keys.Load()
	if err != nil {
		return nil, fmt.Errorf("the active key: %w", err)
	}
	if err := s.OSDP.Rekey(); err != nil {
		return nil, socket.Refused(http.StatusConflict, "gatehouse reader list shows how it is", "%v", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), rekeyWait)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := s.Keys.Load()
		if err == nil && now.Next == nil && now.Current != nil && (before.Current == nil || *now.Current != *before.Current) {
			return struct{}{}, nil
		}
		select {
		case <-ctx.Done():
			return nil, socket.Refused(http.StatusGatewayTimeout, "the old key stays good until the reader has shown the new one; gatehouse log tells key_proved or key_failed",
				"reader %s has not shown yet that it has the new key", s.Config.Name(s.Door.Config.ID))
		case <-tick.C:
		}
	}
}

// onBus returns another reader of the same port that has an address; nil: none.
func onBus(g *gateway.Gateway, s *gateway.Reader, address int) *gateway.Reader {
	for _, d := range g.Doors {
		for _, r := range d.Readers {
			if r != s && r.OSDP != nil && r.Config.Port == s.Config.Port && int(r.OSDP.Status().Address) == address {
				return r
			}
		}
	}
	return nil
}

// configureWait is how long a reader may take to change its settings.
const configureWait = 20 * time.Second

func (g readers) postConfigure(r *http.Request, in control.Configure) (any, error) {
	s, err := served(g.Gateway, r)
	if err != nil {
		return nil, err
	}
	if s.OSDP == nil {
		return nil, socket.Refused(http.StatusConflict, "only OSDP readers have addresses", "reader %s is of type %s", s.Config.Name(s.Door.Config.ID), s.Config.Type)
	}
	if in.Address < 0 || in.Address > 126 {
		return nil, socket.Refused(http.StatusUnprocessableEntity, "0 to 126", "address %d", in.Address)
	}
	if o := onBus(g.Gateway, s, in.Address); o != nil {
		return nil, socket.Refused(http.StatusConflict, "each reader of a bus needs its own", "reader %s on %s has address %d",
			o.Config.Name(o.Door.Config.ID), o.Config.Port, in.Address)
	}
	ctx, cancel := context.WithTimeout(r.Context(), configureWait)
	defer cancel()
	if err := s.OSDP.Configure(ctx, byte(in.Address), in.Baud); err != nil {
		return nil, socket.Refused(http.StatusConflict, "gatehouse reader list shows how it is", "%v", err)
	}
	return struct{}{}, nil
}
