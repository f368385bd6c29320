// Package web is the page of a house: what a landlord, a helper and an installer see and
// do with a phone, in Chinese and English. It does nothing by itself: each thing goes
// over the daemon's socket, as the tool's do, so that the page can do no more than the
// tool, and a fault in it opens no door.
//
// It refuses to tell who came or went: doors are in order, held, forced or at fault, never
// released, open or closed. It refuses requests that another site's page sends, a host
// name that is not the gateway's, and a role's request for what is not on its list.
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

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/rs/zerolog"

	"gatehouse/internal/socket"
	"gatehouse/internal/web/address"
	"gatehouse/internal/web/guard"
	"gatehouse/internal/web/reception"
	"gatehouse/internal/web/text"
	"gatehouse/internal/web/tries"
)

// Limits of a session.
const (
	sessionIdle = 12 * time.Hour
	sessionLife = 30 * 24 * time.Hour
)

// New makes the page. It reads the words and the screens that come with the program.
func New(o Options) (*Server, error) {
	words, err := text.Load()
	if err != nil {
		return nil, err
	}
	pages, err := loadScreens()
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, words: words, screens: pages, sessions: newSessions(o.Log), tries: tries.New(tries.Every), pins: tries.New(tries.ResidentEvery), watch: newWatch(o.Daemon), counter: reception.NewCounter(o.Daemon)}
	mux := http.NewServeMux()
	for _, part := range []interface{ routes() []route }{entry{s}, home{s}, files{}, doors{s}, todo{s}, people{s}, desk{s}, more{s}, access{s}, oldCards{s}, setup{s}, prove{s}, backups{s}, resident{s}} {
		s.routes = append(s.routes, part.routes()...)
	}
	for _, r := range s.routes {
		mux.Handle(r.pattern, s.serve(r))
	}
	s.handler = guard.Guard{Words: words, Names: o.Names}.Before(s.sessions.LoadAndSave(mux)) // another's page prolongs no session
	return s, nil
}

// newSessions keeps sessions in memory. (scs.New would start a goroutine that nothing ends.)
// The cookie is not Secure, since the box's own network is without TLS; guard sets that
// where there is TLS.
func newSessions(log zerolog.Logger) *scs.SessionManager {
	return &scs.SessionManager{IdleTimeout: sessionIdle, Lifetime: sessionLife, Store: memstore.NewWithCleanupInterval(0), Codec: scs.GobCodec{},
		Cookie: scs.SessionCookie{Name: "gatehouse", Path: "/", HttpOnly: true, Persist: true, SameSite: http.SameSiteLaxMode},
		ErrorFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
			log.Error().Err(err).Msg("sessions of the page")
			http.Error(w, "the session can't be read; try again", http.StatusInternalServerError)
		}}
}

// Handler answers requests, for tests and for whoever has a listener.
func (s *Server) Handler() http.Handler { return s.handler }

// Run serves the page until ctx ends, and returns when no request is at work any more.
// It fails if an address can't be opened.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type door struct {
		address string
		tls     *tls.Config
	}
	var all []door
	for _, a := range s.o.Secure {
		all = append(all, door{a, s.o.TLS})
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
	running.Go(func() { s.watch.run(ctx) })
	running.Wait()
	s.counter.Close(context.WithoutCancel(ctx))
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
