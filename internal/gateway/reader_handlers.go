package gateway

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"gatehouse/device/osdp"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/site"
)

// readerRoutes are the answers about readers.
func (g *Gateway) readerRoutes() map[string]answer {
	const one = "/v1/doors/{door}/readers/{reader}/"
	return map[string]answer{
		"GET /v1/readers":           g.getReaders,
		"POST " + one + "install":   g.postInstall,
		"DELETE " + one + "install": g.deleteInstall,
		"POST " + one + "rekey":     g.postRekey,
		"POST " + one + "configure": g.postConfigure,
		"DELETE " + one + "teach":   g.deleteTeach,
		"POST " + one + "teach":     g.postTeach,
	}
}

func (g *Gateway) getReaders(*http.Request) (any, error) {
	all := []control.Reader{}
	for _, d := range g.doors {
		s := d.Door.Status()
		for _, r := range d.readers {
			dev := r.status(s)
			out := control.Reader{Door: d.cfg.ID, ID: r.cfg.ID, Type: r.cfg.Type, Profile: r.cfg.Profile, Direction: r.cfg.Direction,
				Online: dev.Online, Line: r.line(), Fault: dev.Fault, Hint: dev.Hint}
			if r.osdp != nil {
				out.OSDP = busStatus(r)
			}
			all = append(all, out)
		}
	}
	return all, nil
}

// beingTaught is the hint of a reader that is away from its door for a lesson.
const beingTaught = "is being taught: until the lesson is over it opens nothing"

// status is what people see of a reader. What is wrong with its key file says
// more than what the reader makes of that.
func (r *servedReader) status(s door.Status) control.Device {
	dev := deviceStatus(r.cfg.ID, r.cfg.Type, s)
	if !dev.Online && r.taught.Load() {
		dev.Hint = beingTaught
	}
	if r.line() == control.LineWaiting {
		if err := r.keys.Problem(); err != nil {
			dev.Hint = fmt.Sprintf("mend its key file, or remove it and pair the reader again: %v", err)
		}
	}
	return dev
}

// line says how the reader's line is protected.
func (r *servedReader) line() string {
	switch {
	case r.osdp == nil:
		return control.LineUnguarded
	case r.cfg.Security == site.SecurityNone:
		return control.LineClear
	case r.osdp.Status().Secure:
		return control.LineSecured
	}
	return control.LineWaiting
}

func busStatus(r *servedReader) *control.OSDP {
	s := r.osdp.Status()
	out := &control.OSDP{Port: r.cfg.Port, Address: int(s.Address), Baud: r.cfg.Baud, Tamper: s.Tamper, Power: s.PowerFailure, Install: s.Installing,
		Retries: s.Retries, Bad: s.BadFrames, BadMACs: s.BadMACs}
	if i := s.Identity; i != (osdp.Identity{}) {
		out.Vendor, out.Model, out.Version = fmt.Sprintf("%x", i.Vendor), int(i.Model), int(i.Version)
		out.Serial, out.Firmware = fmt.Sprintf("%08x", i.Serial), fmt.Sprintf("%d.%d.%d", i.Firmware[0], i.Firmware[1], i.Firmware[2])
	}
	return out
}

// served finds the reader of a request.
func (g *Gateway) served(r *http.Request) (*servedReader, error) {
	d, err := g.door(r.PathValue("door"))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(d.readers, func(s *servedReader) bool { return s.cfg.ID == r.PathValue("reader") })
	if i < 0 {
		return nil, fail(http.StatusNotFound, "gatehouse reader list shows them", "door %s has no reader %q", d.cfg.ID, r.PathValue("reader"))
	}
	return d.readers[i], nil
}

// secured finds a reader that can have a key.
func (g *Gateway) secured(r *http.Request) (*servedReader, error) {
	s, err := g.served(r)
	switch {
	case err != nil:
		return nil, err
	case s.osdp == nil:
		return nil, fail(http.StatusConflict, "only OSDP readers have keys and addresses", "reader %s is of type %s", s.cfg.Name(s.door.cfg.ID), s.cfg.Type)
	case s.cfg.Security == site.SecurityNone:
		return nil, fail(http.StatusConflict, `remove security = "none" from the site file, then start the daemon again`, "reader %s is set to clear text", s.cfg.Name(s.door.cfg.ID))
	}
	return s, nil
}

func (g *Gateway) postInstall(r *http.Request) (any, error) {
	s, err := g.secured(r)
	if err != nil {
		return nil, err
	}
	in, err := read[control.Install](r)
	if err != nil {
		return nil, err
	}
	if s.osdp.Status().Secure {
		return nil, fail(http.StatusConflict, "gatehouse reader rekey gives it another key without a window that anybody could use",
			"reader %s has a key of its own already", s.cfg.Name(s.door.cfg.ID))
	}
	if err := s.osdp.Install(time.Duration(in.Minutes) * time.Minute); err != nil {
		return nil, fail(http.StatusUnprocessableEntity, "1 to 10 minutes", "%v", err)
	}
	return struct{}{}, nil
}

func (g *Gateway) deleteInstall(r *http.Request) (any, error) {
	s, err := g.secured(r)
	if err == nil {
		s.osdp.CloseInstall()
	}
	return struct{}{}, err
}

// rekeyWait is how long a reader may take to show that it has its new key.
const rekeyWait = 20 * time.Second

// postRekey answers when the reader has shown that it has its new key.
func (g *Gateway) postRekey(r *http.Request) (any, error) {
	s, err := g.secured(r)
	if err != nil {
		return nil, err
	}
	before, err := s.keys.Load()
	if err != nil {
		return nil, fmt.Errorf("the key in force: %w", err)
	}
	if err := s.osdp.Rekey(); err != nil {
		return nil, fail(http.StatusConflict, "gatehouse reader list shows how it is", "%v", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), rekeyWait)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := s.keys.Load()
		if err == nil && now.Next == nil && now.Current != nil && (before.Current == nil || *now.Current != *before.Current) {
			return struct{}{}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fail(http.StatusGatewayTimeout, "the old key stays good until the reader has shown the new one; gatehouse log tells key_proved or key_failed",
				"reader %s has not shown yet that it has the new key", s.cfg.Name(s.door.cfg.ID))
		case <-tick.C:
		}
	}
}

// onBus returns another reader of the same port that has an address; nil: none.
func (g *Gateway) onBus(s *servedReader, address int) *servedReader {
	for _, d := range g.doors {
		for _, r := range d.readers {
			if r != s && r.osdp != nil && r.cfg.Port == s.cfg.Port && int(r.osdp.Status().Address) == address {
				return r
			}
		}
	}
	return nil
}

// configureWait is how long a reader may take to change its settings.
const configureWait = 20 * time.Second

func (g *Gateway) postConfigure(r *http.Request) (any, error) {
	s, err := g.served(r)
	if err != nil {
		return nil, err
	}
	if s.osdp == nil {
		return nil, fail(http.StatusConflict, "only OSDP readers have addresses", "reader %s is of type %s", s.cfg.Name(s.door.cfg.ID), s.cfg.Type)
	}
	in, err := read[control.Configure](r)
	if err != nil {
		return nil, err
	}
	if in.Address < 0 || in.Address > 126 {
		return nil, fail(http.StatusUnprocessableEntity, "0 to 126", "address %d", in.Address)
	}
	if o := g.onBus(s, in.Address); o != nil {
		return nil, fail(http.StatusConflict, "each reader of a bus needs its own", "reader %s on %s has address %d",
			o.cfg.Name(o.door.cfg.ID), o.cfg.Port, in.Address)
	}
	ctx, cancel := context.WithTimeout(r.Context(), configureWait)
	defer cancel()
	if err := s.osdp.Configure(ctx, byte(in.Address), in.Baud); err != nil {
		return nil, fail(http.StatusConflict, "gatehouse reader list shows how it is", "%v", err)
	}
	return struct{}{}, nil
}
