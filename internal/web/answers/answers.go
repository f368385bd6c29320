// Package answers keeps what forms were answered with in memory for some minutes, the last one of each browser.
//
// It refuses to let strangers push out what people who are signed in were answered.
package answers

import (
	"sync"
	"time"

	"gatehouse/internal/web/account"
)

// Bounds of what is kept.
const (
	keepFor       = 10 * time.Minute
	mostStrangers = 64 // answers to who has no account
	mostKept      = 32
)

// New keeps nothing yet.
func New() *Store { return &Store{all: map[string]Answer{}} }

// Answer is one screen as a form was answered with it.
type Answer struct {
	Token   string // names it in its address
	Browser string
	Account account.Account // who sent the form
	Status  int
	Screen  string
	Data    any
	at      time.Time
}

// Store keeps answers. Make it with New. Safe for concurrent use.
type Store struct {
	mu  sync.Mutex
	all map[string]Answer // by browser
}

// Put keeps an answer in place of the browser's last one. Strangers take no place from who is signed in.
func (k *Store) Put(a Answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	stranger, most := a.Account.ID == "", mostKept
	if stranger {
		most = mostStrangers
	}
	delete(k.all, a.Browser)
	n, oldest := 0, ""
	for b, other := range k.all {
		if (other.Account.ID == "") != stranger {
			continue
		}
		if n++; oldest == "" || other.at.Before(k.all[oldest].at) {
			oldest = b
		}
	}
	if n >= most {
		delete(k.all, oldest)
	}
	a.at = time.Now()
	k.all[a.Browser] = a
	time.AfterFunc(keepFor, func() { k.forget(a.Browser, a.Token) })
}

// forget drops an answer, unless another came in its place.
func (k *Store) forget(browser, token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[browser].Token == token {
		delete(k.all, browser)
	}
}

// Of returns the answer of a browser by its token, if it is still kept.
func (k *Store) Of(browser, token string) (Answer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.all[browser]
	return a, ok && a.Token == token
}
