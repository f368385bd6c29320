// Package web is the page of a house: what a landlord, a helper and an installer see and do with a
// phone, in Chinese and English. It acts only through the daemon's socket, as the tool does, so
// that the page can do no more than the tool, and a fault in it opens no door.
//
// It never tells who came or went: doors are normal, held, forced or faulty, never released, open
// or closed. It refuses requests that another site's page sends, host names that are not the
// gateway's, and requests outside a role's list.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"net/http"
	"sync"
	"time"

	"gatehouse/internal/socket"
	"gatehouse/internal/web/address"
	"gatehouse/internal/web/athand"
	"gatehouse/internal/web/guard"
	"gatehouse/internal/web/officer"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/reception"
	"gatehouse/internal/web/rescue"
	"gatehouse/internal/web/resident"
	"gatehouse/internal/web/setup"
	"gatehouse/internal/web/tries"
)

// New makes the page. It loads the words and the screens of the program.
func New(o Options) (*Server, error) {
	p, err := page.New(page.Options{Daemon: o.Daemon, Accounts: o.Accounts, TLS: o.TLS, Log: o.Log})
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, base: p, counter: reception.NewCounter(o.Daemon), hand: &athand.Watches{}, officer: officer.New(p)}
	pages := p.Handler(entry{p, s.counter, s.hand}.routes(), home{p}.routes(), doors{p}.routes(), todo{p}.routes(), people{p, s.counter}.routes(), desk{p, s.counter}.routes(), more{p, o.Version}.routes(),
		access{p}.routes(), setup.Routes(p), resident.Routes(p), pass{p, tries.New(tries.PassEvery)}.routes(), s.officer.Routes())
	s.handler = guard.Guard{Words: p.Words, Names: o.Names, Upload: rescue.Path, MostUpload: rescue.MostUpload, Most: map[string]int64{page.OfficerPath: officer.MostForm, officer.PreservePath: officer.MostForm}}.Before(pages) // before the sessions: requests of another site prolong none
	return s, nil
}

// Handler returns the page's handler, for tests and other listeners.
func (s *Server) Handler() http.Handler { return s.handler }

// Run serves the page until ctx ends, and returns when no request is running. It fails if an
// address can't be opened.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type door struct {
		address string
		tls     *tls.Config
	}
	var all []door
	for _, a := range s.o.Secure {
		all = append(all, door{a, s.base.TLS})
	}
	for _, a := range s.o.Plain {
		if err := address.Plain(a); err != nil {
			return err
		}
		all = append(all, door{a, nil})
	}
	var running sync.WaitGroup
	failed := make(chan error, len(all))
	for _, d := range all {
		l, err := s.o.Network.Listen(ctx, "tcp", d.address)
		if err != nil {
			cancel()
			running.Wait()
			return fmt.Errorf("open the page at %s: %w", d.address, err)
		}
		if d.tls != nil {
			l = tls.NewListener(l, d.tls)
		}
		s.o.Log.Info().Str("address", l.Addr().String()).Bool("tls", d.tls != nil).Msg("the page is open")
		running.Go(func() {
			failed <- socket.ServeHTTP(ctx, l, &http.Server{Handler: s.handler, ErrorLog: stdlog.New(s.o.Log, "", 0), ReadTimeout: 20 * time.Second, MaxHeaderBytes: 16 << 10}, time.Second)
			cancel()
		})
	}
	running.Go(func() { s.base.Watch.Run(ctx) })
	running.Go(func() { s.base.TellNotes(ctx, page.NoteAgain) })
	running.Wait()
	s.counter.Close(context.WithoutCancel(ctx))
	s.hand.Close()
	s.officer.Close()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
