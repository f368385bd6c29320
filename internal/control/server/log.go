package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/calendar"
	"gatehouse/internal/gateway"
	"gatehouse/internal/journal"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// logs show the part of the journal that an owner may see.
type logs struct {
	*gateway.Gateway
	log zerolog.Logger
}

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

// lastShown returns the place of the newest shown entries, last of them, within this epoch. Hidden
// entries do not count, or their number would show.
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

// stream writes the entries that a view shows from a place on, one JSON object a line; with follow
// until ctx ends.
func (g logs) stream(ctx context.Context, w http.ResponseWriter, at journal.Position, follow bool, shows func(wire.Header) bool) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc, out := json.NewEncoder(w), http.NewResponseController(w)
	for {
		changed := g.Journal.Changed()
		entries, next, err := g.Journal.Entries(ctx, at, logBatch)
		if writeShown(enc, entries, shows, g.Site.Zone()) != nil {
			panic(http.ErrAbortHandler) // half a log must not look complete
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
		_ = out.Flush()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// logFilter returns the filter of a query. It only narrows what an owner may see.
func logFilter(g *gateway.Gateway, q url.Values) (func(wire.Header) bool, error) {
	since, err := sinceTime(g, q.Get("since"))
	if err != nil {
		return nil, socket.Refused(http.StatusBadRequest, "write --since 2h, 3d, 2026-12-01 or \"2026-12-01 09:30\"", "since = %q: no time", q.Get("since"))
	}
	for _, id := range q["door"] {
		if _, err := doorOf(g, id); err != nil {
			return nil, err
		}
	}
	for _, kind := range q["kind"] {
		if names := shownNames(); !slices.Contains(names, kind) {
			return nil, socket.Refused(http.StatusBadRequest, "kinds of the log: "+strings.Join(names, ", "), "no kind %q", kind)
		}
	}
	return func(h wire.Header) bool {
		return shown(h) && !h.Time().Before(since) &&
			(len(q["door"]) == 0 || slices.Contains(q["door"], h.Door)) &&
			(len(q["kind"]) == 0 || slices.Contains(q["kind"], h.Kind.String()))
	}, nil
}

// shownNames returns the names of the kinds that an owner may see.
func shownNames() (names []string) {
	for kind := range shownKinds {
		names = append(names, kind.String())
	}
	slices.Sort(names)
	return names
}

// ago is a time before now: minutes, hours or days.
var ago = regexp.MustCompile(`^(\d{1,6})([mhd])$`)

// sinceTime reads a time of the building's zone, or how long ago it was; the zero time for an empty text.
func sinceTime(g *gateway.Gateway, text string) (time.Time, error) {
	found := ago.FindStringSubmatch(text)
	if found == nil {
		return calendar.Moment(text, g.Site.Zone())
	}
	n, _ := strconv.Atoi(found[1]) // six digits
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[found[2]]
	return g.Clock.Read().Wall.Add(-time.Duration(n) * unit), nil
}
