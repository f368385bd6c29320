// Package issuer is the part of a registry that signs: grant lists, House documents and gateways' certificates. It reads
// tenancy records that gateways signed, keeps what they add up to, and hands the lists to the front.
//
// It is a client of the front and listens to nobody but the operator, on a unix socket, so that the busy process has no
// way in. It does not believe what the front says: a record counts by its gateway's signature alone. It refuses to publish
// a list that removes many tenancies without a second issuer, to drop a record that it can't apply (it is kept and shown),
// and to know a name: persons stay sealed to a key that is not here.
//
// The directory holds the keys of package authority, and issuer.db, which has every change that was taken in: a
// building's grants are worked out from these alone, whatever the order in which they came. The Issuer itself is the loop
// and the socket: what it knows is the ledger's, and packages beside that say what becomes of a record, a request, a list
// of somebody's, an order.
package issuer

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/durable"
	"gatehouse/internal/network"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/act"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/ledger"
)

// Files of the issuer's directory, beside the keys that package authority puts there.
const (
	FileDatabase = "issuer.db"
	FileSocket   = "issuer.sock"
)

// Options of an Issuer. Now is the wall clock, the machine's if nil, Tend a minute if 0.
type Options struct {
	Dir   string // that Init made
	Front Front
	Log   zerolog.Logger
	Now   func() time.Time
	Clock agreed.Source // what it is held against; zero: the machine's clocks, or with Now nothing
	Tend  time.Duration // how often proofs of lists are asked for, at least
	// Ask is how long the front may hold a question for work; 0: 25 s.
	Ask     time.Duration
	Network network.Network // where the operator's socket is
}

// Issuer is safe for concurrent use.
type Issuer struct {
	opts    Options
	ledger  *ledger.Ledger
	sender  sender
	passes  *act.Passes
	linked  atomic.Bool            // the front answered last time
	trouble atomic.Pointer[string] // why not; nil: it did, or was not asked yet
}

// Open reads keys and database. It starts nothing. It fails where a key is missing or does not belong to the others, and
// where another issuer has the directory: then nothing in it is touched.
func Open(o Options) (*Issuer, error) {
	if o.Tend <= 0 {
		o.Tend = tendEvery
	}
	if o.Ask <= 0 {
		o.Ask = workWait
	}
	if o.Front == nil {
		return nil, errors.New("open issuer: no front")
	}
	keys, err := authority.Load(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open issuer: %w", err)
	}
	l, err := ledger.Open(filepath.Join(o.Dir, FileDatabase), keys, o.Clock.Or(o.Now), o.Log)
	if errors.Is(err, durable.ErrLocked) {
		return nil, api.Hinted("stop that one first; registryd --issuer "+filepath.Join(o.Dir, FileSocket)+" issuer shows how it is", "open issuer: another issuer runs there, in %s", o.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open issuer: %w", err)
	}
	return &Issuer{opts: o, ledger: l, passes: act.NewPasses(), sender: sender{front: o.Front, ledger: l, log: o.Log}}, nil
}

// Close ends the use of the database. Run and Serve must have returned.
func (i *Issuer) Close() error {
	if err := i.ledger.Close(); err != nil {
		return fmt.Errorf("close issuer: %w", err)
	}
	return nil
}
