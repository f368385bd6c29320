package page

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"gatehouse/internal/web/account"
)

// Answers to forms are kept in memory for some minutes, the last one of each browser, so that the button of the other
// language, a reload and going back show it again: nothing is sent twice, and what is shown once is not lost by a slip.
const (
	keepFor    = 10 * time.Minute
	againPath  = "/again/"
	browserKey = "gatehouse-answer" // the cookie of a browser

	mostStrangers, mostStrangersBytes = 64, 32 << 10 // without an account; bytes of one as it is shown
	mostKept, mostKeptBytes           = 32, 512 << 10
)

// answer is one screen as a form was answered with it.
type answer struct {
	token   string // names it in its address
	browser string
	account account.Account // who sent the form
	status  int
	screen  string
	data    any
	at      time.Time
}

// answers are those that are kept. Safe for concurrent use.
type answers struct {
	mu  sync.Mutex
	all map[string]answer // by browser
}

// put keeps an answer in place of the browser's last one. Strangers take no place from who is signed in.
func (k *answers) put(a answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	stranger, most := a.account.ID == "", mostKept
	if stranger {
		most = mostStrangers
	}
	delete(k.all, a.browser)
	n, oldest := 0, ""
	for b, other := range k.all {
		if (other.account.ID == "") != stranger {
			continue
		}
		if n++; oldest == "" || other.at.Before(k.all[oldest].at) {
			oldest = b
		}
	}
	if n >= most {
		delete(k.all, oldest)
	}
	k.all[a.browser] = a
	time.AfterFunc(keepFor, func() { k.forget(a.browser, a.token) })
}

// forget drops an answer, unless another came in its place.
func (k *answers) forget(browser, token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[browser].token == token {
		delete(k.all, browser)
	}
}

func (k *answers) of(browser, token string) (answer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.all[browser]
	return a, ok && a.token == token
}

// keep keeps the answer to a form, which is size bytes long, and returns where it is shown again; empty: it is not kept.
func (v *Visit) keep(status int, screen string, data any, size int) (address string) {
	if size > mostKeptBytes || v.Account.ID == "" && size > mostStrangersBytes {
		return ""
	}
	a := answer{token: rand.Text(), browser: v.browser(), account: v.Account, status: status, screen: screen, data: data, at: time.Now()}
	if a.browser == "" {
		a.browser = rand.Text()
		http.SetCookie(v.W, &http.Cookie{Name: browserKey, Value: a.browser, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	v.page.answers.put(a)
	return (&url.URL{Path: againPath + a.token + v.URL.Path}).String()
}

// browser is what this page called a browser; empty: nothing yet.
func (v *Visit) browser() string {
	c, err := v.Cookie(browserKey)
	if err != nil || len(c.Value) != len(rand.Text()) {
		return ""
	}
	return c.Value
}

// again shows an answer again to whom it was given. One that is over leads to the screen that its form belongs to.
func (p *Page) again(v *Visit) error {
	if a, ok := p.answers.of(v.browser(), v.PathValue("token")); ok && a.account == v.Account {
		return v.ShowStatus(a.status, a.screen, a.data)
	}
	v.Redirect((&url.URL{Path: p.nearest(path.Clean("/" + v.PathValue("path")))}).String())
	return nil
}

// nearest is the screen at a path, or else the nearest one above it.
func (p *Page) nearest(at string) string {
	for ; at != "/"; at = path.Dir(at) {
		if _, pattern := p.mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: at}}); pattern != "/" {
			return at
		}
	}
	return at
}
