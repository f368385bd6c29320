// Package page is the base of every screen of a house's page: the caller, the words, the templates,
// the sessions and the daemon's state.
//
// It refuses a route to a caller whose role is not on its list.
package page

import (
	"crypto/tls"
	"net/http"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/answers"
	"gatehouse/internal/web/text"
	"gatehouse/internal/web/tries"
	"gatehouse/internal/web/watch"
)

// Options of a Page. Daemon and Accounts are needed.
type Options struct {
	Daemon   *control.Client
	Accounts *account.Store
	TLS      *tls.Config // of the page, if it speaks TLS: its certificate's fingerprint is shown
	Log      zerolog.Logger
}

// Page is what all screens share. It is safe for concurrent use.
type Page struct {
	Daemon   *control.Client
	Accounts *account.Store
	Words    text.Words
	Sessions *scs.SessionManager
	Tries    *tries.Tries // of codes and passwords
	Hashing  *tries.Queue // of passwords, on devices that are not known
	Watch    *watch.Watch
	Routes   []Route // that Handler answers
	Log      zerolog.Logger
	TLS      *tls.Config
	screens  screens
	answers  *answers.Store
	mux      *http.ServeMux // of Routes
}

// New loads the words and the screens of the program.
func New(o Options) (*Page, error) {
	words, err := text.Load()
	if err != nil {
		return nil, err
	}
	all, err := loadScreens()
	if err != nil {
		return nil, err
	}
	return &Page{Daemon: o.Daemon, Accounts: o.Accounts, Words: words, Sessions: newSessions(o.Log), Tries: tries.New(tries.Every), Hashing: tries.NewQueue(), Watch: watch.New(o.Daemon.Status), Log: o.Log, TLS: o.TLS, screens: all, answers: answers.New()}, nil
}

// Handler serves routes, and the files that they all need. It must be called once.
func (p *Page) Handler(routes ...[]Route) http.Handler {
	p.Routes = append(slices.Concat(routes...), files(), At("GET "+againPath+"{token}/{path...}", Anybody, p.again))
	p.mux = http.NewServeMux()
	for _, r := range p.Routes {
		p.mux.Handle(r.Pattern, p.serve(r))
	}
	return p.Sessions.LoadAndSave(p.mux)
}

// Route is a request that the page answers, and who may make it.
type Route struct {
	Pattern string         // of http.ServeMux
	Roles   []account.Role // none: Anybody, also without an account
	do      func(*Visit) error
}

// At returns a route for roles.
func At(pattern string, roles []account.Role, do func(*Visit) error) Route {
	return Route{pattern, roles, do}
}

// Roles of routes.
var (
	Anybody    []account.Role
	EveryRole  = []account.Role{account.Owner, account.Helper, account.Installer}
	Household  = []account.Role{account.Owner, account.Helper}
	OwnerAlone = []account.Role{account.Owner}
	Builders   = []account.Role{account.Owner, account.Installer} // of the house
)

// Limits of a session.
const (
	sessionIdle = 12 * time.Hour
	sessionLife = 30 * 24 * time.Hour
)

// newSessions returns a manager of sessions in memory. (scs.New would start a goroutine that never
// ends.) The cookie is not Secure, since the box's own network has no TLS; guard sets that for TLS.
func newSessions(log zerolog.Logger) *scs.SessionManager {
	return &scs.SessionManager{IdleTimeout: sessionIdle, Lifetime: sessionLife, Store: memstore.NewWithCleanupInterval(0), Codec: scs.GobCodec{},
		Cookie: scs.SessionCookie{Name: "gatehouse", Path: "/", HttpOnly: true, Persist: true, SameSite: http.SameSiteLaxMode},
		ErrorFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
			log.Error().Err(err).Msg("sessions of the page")
			http.Error(w, "the session can't be read; try again", http.StatusInternalServerError)
		}}
}
