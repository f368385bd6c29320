package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/journal"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// logs show what an owner may see of the journal.
type logs struct {
	*gateway.Gateway
	log zerolog.Logger
}

func (g logs) routes(s *socket.Server) { socket.Stream(s, "GET /v1/log", g.streamLog) }

// streamLog writes what an owner may see of the log, one JSON object an entry.
func (g logs) streamLog(w http.ResponseWriter, r *http.Request, _ socket.None) error {
	q := r.URL.Query()
	last, err := strconv.Atoi(q.Get("last"))
	if err != nil {
		return socket.Refused(http.StatusBadRequest, "", "last: want a number of entries")
	}
	shows, err := logFilter(g.Gateway, q)
	if err != nil {
		return err
	}
	at := journal.Position{}
	if last >= 0 {
		if at, err = g.lastShown(r.Context(), last, shows); err != nil {
			return err
		}
	}
	g.stream(r.Context(), w, at, q.Get("follow") == "true", shows)
	return nil
}

// logBatch is how many entries are read at a time.
const logBatch = 500

// lastShown is the place of the newest entries that are shown, so many of this
// epoch. Those that are not shown do not count, or their number would show.
func (g logs) lastShown(ctx context.Context, last int, shows func(wire.Header) bool) (journal.Position, error) {
	s := g.Journal.Status()
	end := s.Position
	at := end
	for left := last; left > 0 && at.Sequence > s.Oldest.Sequence; {
		from := at
		from.Sequence -= min(from.Sequence-s.Oldest.Sequence, logBatch)
		entries, _, err := g.Journal.Entries(ctx, from, int(at.Sequence-from.Sequence))
		if err != nil {
			return at, fmt.Errorf("read the log: %w", err)
		}
		at = from
		for _, e := range slices.Backward(entries) {
			h, err := wire.DecodeHeader(e.Header)
			if err != nil {
				return at, fmt.Errorf("read the log: %w", err)
			}
			if e.Epoch == end.Epoch && shows(h) {
				if left--; left == 0 {
					return e.Position, nil
				}
			}
		}
	}
	return at, nil
}

// lines writes JSON objects, one a line, with times of the building's zone.
type lines struct {
	enc   *json.Encoder
	flush func()
	zone  *time.Location
}

func newLines(w http.ResponseWriter, zone *time.Location) lines {
	c := http.NewResponseController(w)
	return lines{json.NewEncoder(w), func() { _ = c.Flush() }, zone}
}

func (l lines) write(list []control.LogEntry) error {
	for _, e := range list {
		e.Time = e.Time.In(l.zone)
		if err := l.enc.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

// stream writes the entries that a view shows as one JSON object a line, from a
// place in the journal on, with follow until ctx ends.
func (g logs) stream(ctx context.Context, w http.ResponseWriter, at journal.Position, follow bool, shows func(wire.Header) bool) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := newLines(w, zoneOf(g.Gateway))
	for {
		changed := g.Journal.Changed()
		entries, next, err := g.Journal.Entries(ctx, at, logBatch)
		list, bad := pick(entries, shows)
		if bad != nil || out.write(list) != nil {
			panic(http.ErrAbortHandler) // half a log must not look like a whole one
		}
		at = next
		if err != nil && ctx.Err() == nil {
			g.log.Error().Err(err).Msg("log can't be read")
			panic(http.ErrAbortHandler)
		}
		if err != nil || len(entries) == 0 && !follow {
			return
		}
		if len(entries) > 0 {
			continue
		}
		out.flush()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}
