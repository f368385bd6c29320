package door

import (
	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/sync/wire"
)

// records are the entries of one door that nobody waits for.
type records struct {
	door string
	to   Recorder
}

func (r records) queue(h wire.Header, w wire.Who) wire.Ref {
	h.Door = r.door
	return r.to.Queue(h, w)
}

// lock drives the door's lock, and knows whether it obeys. For one goroutine.
type lock struct {
	to      device.Lock
	records records
	log     zerolog.Logger
	err     string // why it did not obey the last time; empty: it did
}

func (l *lock) drive(release bool) error {
	act := l.to.Secure
	if release {
		act = l.to.Release
	}
	err := act()
	msg := ""
	if err != nil {
		msg = err.Error()
		if msg != l.err { // it is tried again every second
			l.log.Error().Err(err).Bool("release", release).Msg("lock can't be driven")
		}
		if l.err == "" {
			l.records.queue(wire.Header{Kind: wire.KindFault, Reason: wire.Reason(fault.OutputRefused), Source: "relay"}, wire.Who{})
		}
	}
	l.err = msg
	return err
}
