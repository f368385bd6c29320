// Package oldcards adds grants for the cards of an old house, for a person at the page: cards of a
// table, cards that were denied at a door, learned cards.
//
// It never stores the issuer's key: that comes with each act that signs, and is wiped after it. The
// lines of a table are only in memory, until they are taken or for ten minutes.
package oldcards

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/cardlist"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/internal/takeover"
	"gatehouse/sync/wire"
)

// Errors of a person's input.
var (
	ErrKey     = errors.New("this is no key file of this house")
	ErrGone    = errors.New("the table is not here any more: choose it again")
	ErrChanged = errors.New("somebody changed the keys since the plan was made")
	ErrDoors   = errors.New("no door is chosen")
	ErrNothing = errors.New("nothing is to be done")
)

// Issuer reads a key file of gatehouse init. Errors never have its content.
func Issuer(daemon *control.Client, file io.Reader) (issue.Issuer, error) {
	text, err := io.ReadAll(io.LimitReader(file, 16<<10))
	if err != nil {
		return issue.Issuer{}, ErrKey
	}
	defer clear(text)
	block, _ := pem.Decode(text)
	if block == nil {
		return issue.Issuer{}, ErrKey
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return issue.Issuer{}, ErrKey
	}
	return issue.Issuer{Client: daemon, Key: key}, nil
}

// heldFor is how long the lines of a table wait for agreement.
const heldFor = 10 * time.Minute

// Tables has the table that a person looks at, one at a time. It is safe for concurrent use.
type Tables struct {
	mu   sync.Mutex
	held table
}

// table is a table with its plan.
type table struct {
	id    string
	at    time.Time
	list  cardlist.List
	lines []takeover.Line
	plan  takeover.Plan
}

// Plan is what would become of the lines of a table.
type Plan struct {
	ID string // for Take
	takeover.Planned
	Work bool // it changes the list
}

// Plan reads a table and returns what would become of its lines. It adds no grants.
func (t *Tables) Plan(ctx context.Context, issuer issue.Issuer, file io.Reader, o cardlist.Options, fill bool) (Plan, error) {
	list, err := cardlist.Read(file, o)
	if err != nil {
		return Plan{}, err
	}
	l, err := issuer.Client.List(ctx)
	if err != nil {
		return Plan{}, err
	}
	e, err := issuer.Editor(l)
	if err != nil {
		return Plan{}, err
	}
	lines, err := takeover.Resolver{List: l, FillZeros: fill, Printed: func(r control.PrintedRequest) (control.Card, error) {
		return issuer.Client.Printed(ctx, r)
	}}.Resolve(list)
	if err != nil {
		return Plan{}, err
	}
	h := takeover.HouseOf(e, l.Labels)
	made := table{id: rand.Text(), at: time.Now(), list: list, lines: lines, plan: takeover.PlanOf(h, lines, list.Labelled)}
	t.mu.Lock()
	t.held = made
	t.mu.Unlock()
	return Plan{made.id, made.plan.Tell(list, false, h), made.plan.Work(h, false)}, nil
}

// Take carries out a plan, in one list, and forgets the table. It returns the number of new grants.
func (t *Tables) Take(ctx context.Context, issuer issue.Issuer, id string) (int, error) {
	t.mu.Lock()
	held := t.held
	t.mu.Unlock()
	if held.id == "" || held.id != id || time.Since(held.at) > heldFor {
		return 0, ErrGone
	}
	l, err := issuer.Client.List(ctx)
	if err != nil {
		return 0, err
	}
	_, err = issuer.Edit(ctx, func(e *grantlist.Editor) error {
		h := takeover.HouseOf(e, l.Labels)
		if !reflect.DeepEqual(takeover.PlanOf(h, held.lines, held.list.Labelled), held.plan) {
			return ErrChanged
		}
		return held.plan.CarryOut(e, h, false, held.list.Labelled)
	})
	if err != nil {
		return 0, err
	}
	t.Forget()
	return held.plan.Count(takeover.LineNew), nil
}

// Forget drops the table.
func (t *Tables) Forget() {
	t.mu.Lock()
	t.held = table{}
	t.mu.Unlock()
}

// Name adds grants for denied or learned cards, by the flats that a person wrote beside them, in
// one list. It returns the number of cards.
func Name(ctx context.Context, issuer issue.Issuer, flats map[string]string, doors []string) (int, error) {
	if len(doors) == 0 {
		return 0, ErrDoors
	}
	l, err := issuer.Client.List(ctx)
	if err != nil {
		return 0, err
	}
	a, err := control.Takeover{Daemon: issuer.Client}.Adopts(ctx)
	if err != nil {
		return 0, err
	}
	named := slices.DeleteFunc(a.Cards, func(c control.Adopt) bool { return strings.TrimSpace(flats[c.ID]) == "" })
	if len(named) == 0 {
		return 0, ErrNothing
	}
	_, err = issuer.Edit(ctx, func(e *grantlist.Editor) error {
		for _, c := range named {
			g := grantlist.NewGrant{Kind: wire.GrantResident, Doors: takeover.Union(nil, doors), Label: strings.TrimSpace(flats[c.ID])}
			shown := takeover.Shown{Card: c.Card, Kept: true}
			var err error
			if g.Credentials, err = takeover.Parse(c.Card.Credentials); err == nil {
				shown.Kin, err = takeover.Parse(c.Card.Kin)
			}
			if err == nil {
				_, err = takeover.Give(e, takeover.HouseOf(e, l.Labels), g, shown)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return len(named), err
}

// Learn adds grants for the cards that were learned on at least seenOn days, in one list, with
// label and a number as their labels.
func Learn(ctx context.Context, issuer issue.Issuer, label string, doors []string) (out takeover.Learned, err error) {
	if len(doors) == 0 {
		return out, ErrDoors
	}
	l, err := issuer.Client.List(ctx)
	if err != nil {
		return out, err
	}
	a, err := control.Takeover{Daemon: issuer.Client}.Adopts(ctx)
	if err != nil {
		return out, err
	}
	work := func(e *grantlist.Editor) (err error) {
		out, err = takeover.Learn(e, l.Labels, a.Cards, grantlist.NewGrant{Kind: wire.GrantResident, Doors: takeover.Union(nil, doors), Label: label}, seenOn)
		return err
	}
	e, err := issuer.Editor(l) // a trial that is not signed
	if err == nil {
		err = work(e)
	}
	if err != nil || out.Keys == 0 {
		return out, err
	}
	_, err = issuer.Edit(ctx, work)
	return out, err
}

// seenOn is on how many days a card must be seen to get a grant.
const seenOn = 2
