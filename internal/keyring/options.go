package keyring

import (
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/cardnumber"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// Options of a Keyring. Now is the wall clock, time.Now if nil; it is used only for the adopt list,
// never for a decision. Sure is the time that has certainly come, unix s; if nil, nothing is known
// to be over. Elapsed is the machine's own clock, which nobody can set and which goes on over
// restarts; the days of removals and of notices count by it. If nil, it is the time since Open.
type Options struct {
	Dir      string             // made if it is not there
	Building string             // the address that lists must have
	Keys     keys.Keys          // may be empty: then no card is known and no list is taken
	Formats  uint64             // lists of formats 1 to this one are read; 0: all
	Shapes   []cardnumber.Shape // of the readers here; none: the usual ones
	Log      zerolog.Logger
	Now      func() time.Time
	Sure     func() int64
	Elapsed  func() time.Duration
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Formats == 0 {
		o.Formats = wire.LogFormat
	}
	if o.Sure == nil {
		o.Sure = func() int64 { return 0 }
	}
	if o.Elapsed == nil {
		began := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(began) }
	}
	return o
}
