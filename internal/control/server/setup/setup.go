// Package setup is the daemon while there is no house to serve: the gateway was not set up
// yet, its site file is wrong, or the house can't be served for another reason. It answers on
// the daemon's socket what a tool or the page needs to set the gateway up, and says everybody
// else why nothing is served.
//
// It drives no line, reads those of exit buttons only while it is asked whether one is held, and never
// overwrites a site file. Its findings are kept in memory: after a
// power cut the machine is inspected again.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/caller"
	"gatehouse/internal/commission"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server/exits"
	"gatehouse/internal/control/server/gate"
	"gatehouse/internal/discovery"
	"gatehouse/internal/gateway/exitbutton"
	"gatehouse/internal/network"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// Options of a Server. Socket, File and Machine are needed.
type Options struct {
	Socket  string
	Group   string // may use the socket beside the daemon's user
	Network network.Network
	Version string // of the daemon
	File    string // the site file
	Machine discovery.Machine
	Each    time.Duration // how often it looks for a site file that can be served
	// Again is after how long a house is tried again whose site file is in order; 0: it is the
	// site file that is missing or wrong, and is waited for.
	Again time.Duration
	Tick  func() // called at each of these looks; nil: nobody wants to know
	// Written is told the house whose site file was written over the socket, before it is
	// served; nil: nobody is.
	Written func(*site.Site) error
	Log     zerolog.Logger
}

// Server waits for a usable site file. Make it with New, and run it once with Run.
type Server struct {
	o       Options
	socket  *socket.Server
	looker  *looker
	written chan struct{} // there may be a site file now

	exits exitbutton.Buttons // by the board's drawing, while somebody is asked to hold one

	restoring sync.Mutex // held while a backup is restored, and no house is served

	tried string // the site file that came to nothing, as stamp tells

	mu     sync.Mutex
	fault  error // why there is no house
	failed bool  // the site file is no part of it
}

// routeRoles says which roles may call which route through the page.
var routeRoles = map[string][]caller.Role{
	"/":                      {caller.Owner, caller.Helper, caller.Installer, caller.Page},
	"GET /v1/setup":          {caller.Owner, caller.Helper, caller.Installer, caller.Page},
	"POST /v1/setup/look":    {caller.Owner, caller.Installer},
	"POST /v1/setup/propose": {caller.Owner, caller.Installer},
	"POST /v1/setup/write":   {caller.Owner, caller.Installer},
	"POST /v1/setup/restore": {caller.Owner, caller.Installer},
	exits.Route:              {caller.Page},
}

// maxRequest bounds a request, in bytes: a backup that the page takes, in base64, and its code.
const maxRequest = control.MostRestore/3*4 + 64<<10

// New makes a server; why is what came of reading the site file, or of serving its house.
func New(o Options, why error) *Server {
	s := &Server{o: o, fault: why, failed: o.Again > 0, looker: newLooker(o.Machine), written: make(chan struct{}, 1),
		socket: socket.NewServer(socket.Options{Path: o.Socket, Name: "daemon", Network: o.Network, Mode: 0o660, Group: o.Group,
			Look: 5 * time.Second, Grace: time.Second, MostBody: maxRequest, Admit: gate.New(routeRoles).Admit, Log: o.Log})}
	s.tried = s.stamp()
	socket.Handle(s.socket, "GET /v1/setup", s.getSetup)
	socket.Handle(s.socket, "POST /v1/setup/look", s.postLook)
	socket.Handle(s.socket, "POST /v1/setup/propose", s.postPropose)
	socket.Handle(s.socket, "POST /v1/setup/write", s.postWrite)
	socket.Handle(s.socket, "POST /v1/setup/restore", s.postRestore)
	socket.Handle(s.socket, exits.Route, s.postExitHold)
	socket.Handle(s.socket, "/", func(*http.Request, socket.None) (socket.None, error) { return socket.None{}, s.refusal() })
	return s
}

// Run answers until a house can be served, and returns true then, or until ctx ends.
func (s *Server) Run(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { s.socket.Keep(ctx) })
	all.Go(func() { s.looker.run(ctx) })
	s.say()
	return s.await(ctx)
}

// await looks at the site file again and again. One that somebody writes by hand counts once
// it has stayed the same from one look to the next: an editor may be in its middle. Where the
// file was in order another one counts, and the time after which the house is tried again.
func (s *Server) await(ctx context.Context) bool {
	tick := time.NewTicker(s.o.Each)
	defer tick.Stop()
	var again <-chan time.Time
	if s.o.Again > 0 {
		again = time.After(s.o.Again)
	}
	// A file that was written over the socket counts at once, or when the restore has ended that
	// wrote it: until then the machine's keys change.
	written := false
	for before := s.stamp(); ; {
		whole := written
		select {
		case <-ctx.Done():
			return false
		case <-again:
			if s.idle() {
				return true
			}
			again = time.After(s.o.Each)
		case <-s.written:
			whole, written = true, true
		case <-tick.C:
			if s.o.Tick != nil {
				s.o.Tick()
			}
		}
		now := s.stamp()
		if s.usable(whole || now == before && (again == nil || now != s.tried)) {
			return true
		}
		before = now
	}
}

// usable reports whether a house can be served by the site file, where that is whole.
func (s *Server) usable(whole bool) bool {
	_, err := site.Load(s.o.File)
	if err != nil {
		s.blame(err)
	}
	return err == nil && whole && s.idle()
}

// idle reports whether no backup is being restored.
func (s *Server) idle() bool {
	free := s.restoring.TryLock()
	if free {
		s.restoring.Unlock()
	}
	return free
}

// stamp returns a text that changes with the content of the file, as far as nobody sets its time.
func (s *Server) stamp() string {
	info, err := os.Stat(s.o.File)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), info.ModTime())
}

// blame stores why there is no house, and logs it once.
func (s *Server) blame(err error) {
	s.mu.Lock()
	same := err.Error() == s.fault.Error()
	s.fault, s.failed = err, false
	s.mu.Unlock()
	if !same {
		s.say()
	}
}

// standing is what the daemon does, and why there is no house.
func (s *Server) standing() (state string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failed:
		return control.SetupFailed, s.fault
	case errors.Is(s.fault, fs.ErrNotExist):
		return control.SetupNew, s.fault
	}
	return control.SetupWrong, s.fault
}

// say tells the log; what came of serving a house is told by whoever tried.
func (s *Server) say() {
	switch state, why := s.standing(); state {
	case control.SetupNew:
		s.o.Log.Warn().Str("file", s.o.File).Msg("this gateway is not set up yet: open its page, or call gatehouse setup; no door is served")
	case control.SetupWrong:
		s.o.Log.Error().Err(why).Msg("no door is served: the site file is wrong; it is read again once it was mended, without a restart")
	}
}

// refusal is the answer to requests that need a house.
func (s *Server) refusal() error {
	switch state, why := s.standing(); state {
	case control.SetupFailed:
		return socket.Refused(http.StatusServiceUnavailable, "mend it; the daemon tries again by itself, at least every half minute, and nothing is to be restarted; gatehouse doctor looks at what it stands on", "no door is served: %v", why)
	case control.SetupWrong:
		return socket.Refused(http.StatusServiceUnavailable, "mend it; sudo gatehoused check says whether it is right, and the daemon takes it by itself", "no door is served: the site file is wrong: %v", why)
	}
	return socket.Refused(http.StatusServiceUnavailable, "open its page, or call gatehouse setup", "no door is served: this gateway is not set up yet, there is no site file %s", s.o.File)
}

func (s *Server) getSetup(*http.Request, socket.None) (control.Setup, error) {
	state, why := s.standing()
	out := control.Setup{State: state, File: s.o.File, Boards: s.looker.boards, Look: s.looker.shown()}
	if state != control.SetupNew {
		out.Fault = why.Error()
	}
	return out, nil
}

func (s *Server) postLook(r *http.Request, in control.LookRequest) (control.Setup, error) {
	if in.Seconds < 0 || in.Seconds > control.MostLook {
		return control.Setup{}, socket.Refused(http.StatusUnprocessableEntity, fmt.Sprintf("0 to %d seconds", control.MostLook), "nobody listens for cards for %d s", in.Seconds)
	}
	if err := s.looker.ask(r.Context(), in); err != nil {
		return control.Setup{}, err
	}
	return s.getSetup(r, socket.None{})
}

func (s *Server) postPropose(_ *http.Request, in control.Answers) (control.Plan, error) {
	found, ok := s.looker.found()
	if !ok {
		return control.Plan{}, socket.Refused(http.StatusConflict, "look first", "nobody has looked at this machine yet")
	}
	return commission.Propose(found, in, s.o.Machine.Profiles), nil
}

func (s *Server) postWrite(r *http.Request, in control.WriteSite) (control.SiteWritten, error) {
	plan, err := s.postPropose(r, in.Answers)
	switch {
	case err != nil:
		return control.SiteWritten{}, err
	case plan.Faulty():
		return control.SiteWritten{}, socket.Refused(http.StatusUnprocessableEntity, "mend what is marked fault in the proposal", "no site file was written")
	case in.Text != "" && in.Text != plan.Text:
		return control.SiteWritten{}, &socket.Error{Status: http.StatusConflict, Conflict: true, Message: "something else is found now than was when the site file was proposed", Hint: "look at the new proposal"}
	}
	if err := s.write(plan.Text); err != nil {
		return control.SiteWritten{}, err
	}
	select {
	case s.written <- struct{}{}:
	default: // another signal is pending
	}
	return control.SiteWritten{File: s.o.File}, nil
}

// write writes the file, and before that reports its house.
func (s *Server) write(text string) error {
	if _, err := os.Lstat(s.o.File); err == nil {
		return s.there()
	}
	house, err := site.Parse([]byte(text))
	if err == nil && s.o.Written != nil {
		err = s.o.Written(house)
	}
	if err == nil {
		err = commission.Write(s.o.File, text, false)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return s.there()
	case err != nil:
		return socket.Refused(http.StatusInsufficientStorage, "nothing was written: make room on the disk, or see to it that the daemon's user may write there, and try again", "the site file could not be written: %v", err)
	}
	s.o.Log.Info().Str("file", s.o.File).Msg("the site file is written")
	return nil
}

func (s *Server) there() error {
	return socket.Refused(http.StatusConflict, "sudo gatehoused check says how it is; sudo gatehouse setup --replace writes over it", "%s is there already", s.o.File)
}
