package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"gatehouse/device/osdp"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/gateway"
	"gatehouse/internal/site"
)

// readerRoutes are the answers about readers.
func (srv *Server) readerRoutes() map[string]answer {
	const one = "/v1/doors/{door}/readers/{reader}/"
	return map[string]answer{
		"GET /v1/readers":           srv.getReaders,
		"POST " + one + "install":   srv.postInstall,
		"DELETE " + one + "install": srv.deleteInstall,
		"POST " + one + "rekey":     srv.postRekey,
		"POST " + one + "configure": srv.postConfigure,
		"DELETE " + one + "teach":   srv.deleteTeach,
		"POST " + one + "teach":     srv.postTeach,
	}
}

func (srv *Server) getReaders(*http.Request) (any, error) {
	all := []control.Reader{}
	for _, d := range srv.gw.Doors {
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

// beingTaught is the hint of a reader that is away from its door for a lesson.
const beingTaught = "is being taught: until the lesson is over it opens nothing"

// readerStatus is what people see of a reader. What is wrong with its key file says
// more than what the reader makes of that.
func readerStatus(r *gateway.Reader, s door.Status) control.Device {
	dev := deviceStatus(r.Config.ID, r.Config.Type, s)
	if !dev.Online && r.Taught() {
		dev.Hint = beingTaught
	}
	if lineOf(r) == control.LineWaiting {
		if err := r.Keys.Problem(); err != nil {
			dev.Hint = fmt.Sprintf("mend its key file, or remove it and pair the reader again: %v", err)
		}
	}
	return dev
}

// lineOf says how the reader's line is protected.
func lineOf(r *gateway.Reader) string {
	switch {
	case r.OSDP == nil:
		return control.LineUnguarded
	case r.Config.Security == site.SecurityNone:
		return control.LineClear
	case r.OSDP.Status().Secure:
		return control.LineSecured
	}
	return control.LineWaiting
}

func busStatus(r *gateway.Reader) *control.OSDP {
	s := r.OSDP.Status()
	out := &control.OSDP{Port: r.Config.Port, Address: int(s.Address), Baud: r.Config.Baud, Tamper: s.Tamper, Power: s.PowerFailure, Install: s.Installing,
		Retries: s.Retries, Bad: s.BadFrames, BadMACs: s.BadMACs}
	if i := s.Identity; i != (osdp.Identity{}) {
		out.Vendor, out.Model, out.Version = fmt.Sprintf("%x", i.Vendor), int(i.Model), int(i.Version)
		out.Serial, out.Firmware = fmt.Sprintf("%08x", i.Serial), fmt.Sprintf("%d.%d.%d", i.Firmware[0], i.Firmware[1], i.Firmware[2])
	}
	return out
}

// served finds the reader of a request.
func (srv *Server) served(r *http.Request) (*gateway.Reader, error) {
	d, err := srv.door(r.PathValue("door"))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(d.Readers, func(s *gateway.Reader) bool { return s.Config.ID == r.PathValue("reader") })
	if i < 0 {
		return nil, fail(http.StatusNotFound, "gatehouse reader list shows them", "door %s has no reader %q", d.Config.ID, r.PathValue("reader"))
	}
	return d.Readers[i], nil
}

// secured finds a reader that can have a key.
func (srv *Server) secured(r *http.Request) (*gateway.Reader, error) {
	s, err := srv.served(r)
	switch {
	case err != nil:
		return nil, err
	case s.OSDP == nil:
		return nil, fail(http.StatusConflict, "only OSDP readers have keys and addresses", "reader %s is of type %s", s.Config.Name(s.Door.Config.ID), s.Config.Type)
	case s.Config.Security == site.SecurityNone:
		return nil, fail(http.StatusConflict, `remove security = "none" from the site file, then start the daemon again`, "reader %s is set to clear text", s.Config.Name(s.Door.Config.ID))
	}
	return s, nil
}

func (srv *Server) postInstall(r *http.Request) (any, error) {
	s, err := srv.secured(r)
	if err != nil {
		return nil, err
	}
	in, err := read[control.Install](r)
	if err != nil {
		return nil, err
	}
	if s.OSDP.Status().Secure {
		return nil, fail(http.StatusConflict, "gatehouse reader rekey gives it another key without a window that anybody could use",
			"reader %s has a key of its own already", s.Config.Name(s.Door.Config.ID))
	}
	if err := s.OSDP.Install(time.Duration(in.Minutes) * time.Minute); err != nil {
		return nil, fail(http.StatusUnprocessableEntity, "1 to 10 minutes", "%v", err)
	}
	return struct{}{}, nil
}

func (srv *Server) deleteInstall(r *http.Request) (any, error) {
	s, err := srv.secured(r)
	if err == nil {
		s.OSDP.CloseInstall()
	}
	return struct{}{}, err
}

// rekeyWait is how long a reader may take to show that it has its new key.
const rekeyWait = 20 * time.Second

// postRekey answers when the reader has shown that it has its new key.
func (srv *Server) postRekey(r *http.Request) (any, error) {
	s, err := srv.secured(r)
	if err != nil {
		return nil, err
	}
	before, err := s.Keys.Load()
	if err != nil {
		return nil, fmt.Errorf("the key in force: %w", err)
	}
	if err := s.OSDP.Rekey(); err != nil {
		return nil, fail(http.StatusConflict, "gatehouse reader list shows how it is", "%v", err)
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
			return nil, fail(http.StatusGatewayTimeout, "the old key stays good until the reader has shown the new one; gatehouse log tells key_proved or key_failed",
				"reader %s has not shown yet that it has the new key", s.Config.Name(s.Door.Config.ID))
		case <-tick.C:
		}
	}
}

// onBus returns another reader of the same port that has an address; nil: none.
func (srv *Server) onBus(s *gateway.Reader, address int) *gateway.Reader {
	for _, d := range srv.gw.Doors {
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

func (srv *Server) postConfigure(r *http.Request) (any, error) {
	s, err := srv.served(r)
	if err != nil {
		return nil, err
	}
	if s.OSDP == nil {
		return nil, fail(http.StatusConflict, "only OSDP readers have addresses", "reader %s is of type %s", s.Config.Name(s.Door.Config.ID), s.Config.Type)
	}
	in, err := read[control.Configure](r)
	if err != nil {
		return nil, err
	}
	if in.Address < 0 || in.Address > 126 {
		return nil, fail(http.StatusUnprocessableEntity, "0 to 126", "address %d", in.Address)
	}
	if o := srv.onBus(s, in.Address); o != nil {
		return nil, fail(http.StatusConflict, "each reader of a bus needs its own", "reader %s on %s has address %d",
			o.Config.Name(o.Door.Config.ID), o.Config.Port, in.Address)
	}
	ctx, cancel := context.WithTimeout(r.Context(), configureWait)
	defer cancel()
	if err := s.OSDP.Configure(ctx, byte(in.Address), in.Baud); err != nil {
		return nil, fail(http.StatusConflict, "gatehouse reader list shows how it is", "%v", err)
	}
	return struct{}{}, nil
}
