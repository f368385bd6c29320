// Package guard checks every request of the page: host, origin, size and headers.
//
// It refuses requests that another site's page sends, and host names that are not the gateway's.
package guard

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"gatehouse/internal/web/address"
	"gatehouse/internal/web/text"
)

// policy is the page's content security policy: nothing from elsewhere, no inline script, in no
// other page's frame.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// mostBody is the most bytes of a request: a list of cards is the largest.
const mostBody = 256 << 10

// Guard is the configuration of the check.
type Guard struct {
	Words text.Words
	Names []string // host names of the gateway; addresses are always accepted
	// Upload is the path of a form with a large file, and MostUpload its most bytes. The handler
	// reads it, since it knows the sender.
	Upload     string
	MostUpload int64
	// Most are bytes of the forms at paths that need less than a list of cards.
	Most map[string]int64
}

// Before puts the check before a handler.
func (g Guard) Before(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, g.Words.Say(text.Of(r), "page.foreign"), http.StatusForbidden)
	}))
	inner := origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !address.Own(r.Host, g.Names) {
			http.Error(w, g.Words.Say(text.Of(r), "page.foreign"), http.StatusMisdirectedRequest)
			return
		}
		if r.Method == http.MethodPost && r.URL.Path == g.Upload {
			r.Body = http.MaxBytesReader(w, r.Body, g.MostUpload)
		} else if err := g.readForm(w, r); err != nil {
			g.refuseForm(w, r, err)
			return
		}
		if r.TLS != nil {
			w = secureCookies{w}
		}
		inner.ServeHTTP(w, r)
	})
}

// readForm reads the form of a request.
func (g Guard) readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, cmp.Or(g.Most[r.URL.Path], mostBody))
	if err := r.ParseForm(); err != nil {
		return err
	}
	if err := r.ParseMultipartForm(mostBody); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return err
	}
	return nil
}

// refuseForm answers a request that is no readable form, and closes the connection: the rest of it
// would be read as the next request.
func (g Guard) refuseForm(w http.ResponseWriter, r *http.Request, err error) {
	status, key := http.StatusBadRequest, "page.bad_form"
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		status, key = http.StatusRequestEntityTooLarge, "page.too_large"
	}
	w.Header().Set("Connection", "close")
	http.Error(w, g.Words.Say(text.Of(r), key), status)
}

// secureCookies marks the session's cookie as Secure if the request came over TLS.
type secureCookies struct{ http.ResponseWriter }

func (w secureCookies) WriteHeader(status int) {
	all := w.Header()["Set-Cookie"]
	for i, c := range all {
		if !strings.Contains(c, "; Secure") {
			all[i] = c + "; Secure"
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w secureCookies) Unwrap() http.ResponseWriter { return w.ResponseWriter }
