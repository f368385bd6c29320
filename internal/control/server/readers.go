package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server/todo"
	"gatehouse/internal/door"
	"gatehouse/internal/gateway"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// readers handles the readers of the doors, as installers see and set them.
type readers struct{ *gateway.Gateway }

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

// secured returns a reader that can have a key.
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
	g.done(r, s, wire.ReasonInstallOpened)
	return struct{}{}, nil
}

func (g readers) deleteInstall(r *http.Request, _ socket.None) (any, error) {
	s, err := secured(g.Gateway, r)
	if err == nil {
		s.OSDP.CloseInstall()
		g.done(r, s, wire.ReasonInstallClosed)
	}
	return struct{}{}, err
}

// done records an act at a reader. The reader reports the result in entries of its own.
func (g readers) done(r *http.Request, s *gateway.Reader, what wire.Reason) {
	enter(g.Gateway, r, wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeDone, Reason: what, Door: s.Door.Config.ID})
}

// readerWait is how long a reader may take to prove its new key or change its settings.
const readerWait = 20 * time.Second

// postRekey answers when the reader has proved its new key.
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
	g.done(r, s, wire.ReasonKeySent)
	ctx, cancel := context.WithTimeout(r.Context(), readerWait)
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
	ctx, cancel := context.WithTimeout(r.Context(), readerWait)
	defer cancel()
	if err := s.OSDP.Configure(ctx, byte(in.Address), in.Baud); err != nil {
		return nil, socket.Refused(http.StatusConflict, "gatehouse reader list shows how it is", "%v", err)
	}
	g.done(r, s, wire.ReasonReaderSet)
	return struct{}{}, nil
}

func doorStatus(d *gateway.Door) control.Door {
	s := d.Door.Status()
	out := control.Door{ID: d.Config.ID, State: shownState(s.State), Lock: "ok"}
	if s.LockErr != "" {
		out.Lock = s.LockErr
	}
	if pressed := time.Since(s.ExitSince); !s.ExitSince.IsZero() && pressed > stuckExit {
		out.ExitPressed = pressed
	}
	for _, r := range d.Readers {
		out.Devices = append(out.Devices, readerStatus(r, s))
	}
	if s.State == door.Listening { // its inputs belong to the old controller
		return out
	}
	if d.Config.Exit != nil {
		out.Devices = append(out.Devices, deviceStatus(device.InputExit, "input", s))
	}
	if d.Config.Contact != nil {
		out.Devices = append(out.Devices, deviceStatus(device.InputContact, "input", s))
	}
	return out
}

// faultShown is how long a past fault is still shown.
const faultShown = time.Hour

func deviceStatus(id, kind string, s door.Status) control.Device {
	dev := s.Devices[id]
	out := control.Device{ID: id, Type: kind, Online: dev.Online}
	if dev.Fault != fault.None && (!dev.Online || dev.Lasts || time.Since(dev.At) < faultShown) {
		out.Fault, out.Hint = dev.Fault.String(), dev.Fault.Hint()
	}
	return out
}

// stuckExit is how long an exit button may be pressed before it looks stuck.
const stuckExit = 15 * time.Second

// readerStatus returns the status of a reader for people. A fault of its key file says more than
// the reader's own fault.
func readerStatus(r *gateway.Reader, s door.Status) control.Device {
	dev := deviceStatus(r.Config.ID, r.Config.Type, s)
	if s.State == door.Listening && !gateway.Tapped(r.Config.Type) {
		dev.Hint = todo.Untapped
		return dev
	}
	if !dev.Online && r.Learning() {
		dev.Hint = todo.InLearning
	}
	if lineOf(r) == control.LineWaiting {
		if err := r.Keys.Problem(); err != nil {
			dev.Hint = fmt.Sprintf("mend its key file, or remove it and pair the reader again: %v", err)
		}
	}
	return dev
}

// lineOf returns how the reader's line is protected.
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
	if s.KeyFault != fault.None {
		out.KeyFault = s.KeyFault.String()
	}
	if i := s.Identity; i != (protocol.Identity{}) {
		out.Vendor, out.Model, out.Version = fmt.Sprintf("%x", i.Vendor), int(i.Model), int(i.Version)
		out.Serial, out.Firmware = fmt.Sprintf("%08x", i.Serial), fmt.Sprintf("%d.%d.%d", i.Firmware[0], i.Firmware[1], i.Firmware[2])
	}
	return out
}
