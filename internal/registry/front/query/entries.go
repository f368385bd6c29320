// Package query answers requests for stored entries, alarms, keys and documents. It shows times and
// doors, and nobody's card.
package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Entries answers with the stored entries that pass the filter in the request's query, one JSON
// object a line.
func Entries(s *store.Store, w http.ResponseWriter, r *http.Request) error {
	filter, err := readFilter(r.URL.Query())
	if err != nil {
		return socket.Refused(http.StatusBadRequest, "", "%v", err)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	q := entryQuery{filter: filter, left: filter.Limit, times: newTimeline(s), out: json.NewEncoder(w)}
	in := store.Filter{Building: filter.Building, Gateway: filter.Gateway, From: filter.From, To: filter.To, Newest: filter.Newest}
	if filter.After != "" {
		if q.after, err = parseCursor(filter.After, filter.Newest); err != nil {
			return socket.Refused(http.StatusBadRequest, "take it as the answer before gave it, with the same --newest", "%v", err)
		}
		in.After = &q.after
	}
	for row, err := range s.Batches(r.Context(), in) {
		more := false
		if err == nil {
			more, err = q.batch(r.Context(), row)
		}
		if err != nil {
			_ = q.out.Encode(api.Error{Message: err.Error()})
		}
		if !more {
			break
		}
	}
	return nil
}

// entryQuery is one request for entries.
type entryQuery struct {
	filter api.EntryFilter
	after  store.Cursor
	left   int
	last   store.Cursor // of the last entry written
	times  *timeline
	out    *json.Encoder // one object a line
}

// batch writes the entries of one batch that pass the filter, and reports whether more may be
// written.
func (q *entryQuery) batch(ctx context.Context, row store.Batch) (more bool, err error) {
	p := row.Place
	var b wire.Batch
	if err := wire.Decode(row.Body, &b); err != nil {
		return false, fmt.Errorf("stored batch of %s: %w", p.Address(), err)
	}
	first, end := int(row.First-b.First), min(len(b.Headers), int(row.Next-b.First))
	for n := range end - first {
		i := first + n
		if q.filter.Newest {
			i = end - 1 - n
		}
		h, err := wire.DecodeHeader(b.Headers[i])
		if err != nil || !matches(q.filter, h) || q.before(p, b.Epoch, b.First+uint64(i), row.Stored) {
			continue // an unreadable entry is stored, but not shown
		}
		span, err := q.times.of(ctx, row, b, i, h)
		if err != nil {
			return false, err
		}
		if !span.within(q.filter.From, q.filter.To) {
			continue
		}
		if q.left == 0 {
			_ = q.out.Encode(api.More{More: textOf(q.last, q.filter.Newest)})
			return false, nil
		}
		q.left--
		e := showEntry(p, b, i, h)
		e.Received, e.Unsure = row.Stored.UTC(), span.unsure
		if span.unsure {
			e.NotBefore, e.NotAfter = moment(span.from), moment(span.to)
		}
		q.last = store.Cursor{Building: p.Building, Gateway: p.Gateway, Epoch: b.Epoch, Sequence: e.Sequence, Stored: row.Stored.UnixMilli()}
		if err := q.out.Encode(e); err != nil {
			return false, nil // the client is gone
		}
	}
	return true, nil
}

// before reports whether an entry is before the cursor, and was written already.
func (q *entryQuery) before(p wire.Place, epoch, sequence uint64, stored time.Time) bool {
	c := q.after
	if q.filter.After == "" || c.Building != p.Building || c.Gateway != p.Gateway || c.Epoch != epoch {
		return false
	}
	if q.filter.Newest {
		return stored.UnixMilli() == c.Stored && sequence >= c.Sequence
	}
	return sequence <= c.Sequence
}

// textOf returns a cursor as parseCursor reads it, with newest also by when its entry was stored.
func textOf(c store.Cursor, newest bool) string {
	text := fmt.Sprintf("%s/%s:%016x:%d", c.Building, c.Gateway, c.Epoch, c.Sequence)
	if newest {
		text += fmt.Sprintf(":%d", c.Stored)
	}
	return text
}

func parseCursor(text string, newest bool) (c store.Cursor, err error) {
	parts := strings.Split(text, ":")
	want := 3
	if newest {
		want = 4
	}
	wrong := fmt.Errorf("after %q: it is no place in this list", text)
	if len(parts) != want {
		return c, wrong
	}
	address := strings.Split(parts[0], "/")
	if len(address) != 2 || !wire.ValidName(address[0], false) || !wire.ValidName(address[1], false) {
		return c, wrong
	}
	c.Building, c.Gateway = address[0], address[1]
	var errs [3]error
	c.Epoch, errs[0] = strconv.ParseUint(parts[1], 16, 64)
	c.Sequence, errs[1] = strconv.ParseUint(parts[2], 10, 63)
	if newest {
		c.Stored, errs[2] = strconv.ParseInt(parts[3], 10, 64)
	}
	if errors.Join(errs[:]...) != nil {
		return c, wrong
	}
	return c, nil
}

// moment returns a bound for JSON; nil for none.
func moment(ms int64) *time.Time {
	if ms <= never {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}

func showEntry(p wire.Place, b wire.Batch, i int, h wire.Header) api.Entry {
	e := api.Entry{Place: api.Place(p), Epoch: fmt.Sprintf("%016x", b.Epoch), Sequence: b.First + uint64(i), Boot: h.Boot, Counter: h.Counter,
		Time: h.Time(), Clock: h.Clock.String(), Kind: h.Kind.String(), Outcome: h.Outcome.String(), Reason: h.Reason.String(),
		Door: h.Door, Source: h.Source, Direction: h.Direction.String(), Count: h.Count, Detail: h.Detail}
	if len(b.Whos[i]) > 0 {
		e.WhoHash = b.Whos[i]
	}
	return e
}

func readFilter(q url.Values) (f api.EntryFilter, err error) {
	f = api.EntryFilter{Building: q.Get("building"), Gateway: q.Get("gateway"), Door: q.Get("door"), Kind: q.Get("kind"),
		After: q.Get("after"), Newest: q.Get("newest") != ""}
	for key, into := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		if text := q.Get(key); text != "" {
			if *into, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return f, fmt.Errorf("%s %q: want a time as 2026-01-31T08:00:00+08:00", key, text)
			}
		}
	}
	f.Limit, err = readLimit(q, 1000, 1_000_000)
	return f, err
}

// matches reports whether an entry passes the filter, apart from its time.
func matches(f api.EntryFilter, h wire.Header) bool {
	return (f.Door == "" || h.Door == f.Door) && (f.Kind == "" || h.Kind.String() == f.Kind)
}

// readLimit reads limit=N.
func readLimit(q url.Values, def, most int) (int, error) {
	text := q.Get("limit")
	if text == "" || text == "0" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("limit %q: want a number", text)
	}
	return min(n, most), nil
}

// Alarms returns the alarms of a building, or of all: the newest first.
func Alarms(s *store.Store, r *http.Request) ([]api.Alarm, error) {
	limit, err := readLimit(r.URL.Query(), 100, 100_000)
	if err != nil {
		return nil, socket.Refused(http.StatusBadRequest, "", "%v", err)
	}
	found, err := s.Alarms(r.Context(), r.URL.Query().Get("building"), limit)
	if err != nil {
		return nil, err
	}
	all := make([]datedAlarm, len(found))
	for i, a := range found {
		all[i] = shownAlarm(a)
	}
	slices.SortStableFunc(all, func(a, b datedAlarm) int { return b.happened.Compare(a.happened) })
	out := make([]api.Alarm, len(all))
	for i, a := range all {
		out[i] = a.Alarm
	}
	return out, nil
}

// datedAlarm is an alarm with the likely time when it happened: those of a gateway that was away
// arrive late, many at once, and a clock may be wrong.
type datedAlarm struct {
	api.Alarm
	happened time.Time
}

func shownAlarm(a store.Alarm) datedAlarm {
	out := datedAlarm{happened: a.Heard, Alarm: api.Alarm{Place: api.Place(a.Place), Epoch: fmt.Sprintf("%016x", a.Epoch), Sequence: a.Sequence,
		Time: a.Heard, Heard: a.Heard, Kind: "fork", Stored: a.Stored}}
	h, err := wire.DecodeHeader(a.Header)
	if err != nil {
		return out
	}
	out.Time, out.Kind, out.Outcome, out.Reason, out.Door = h.Time(), h.Kind.String(), h.Outcome.String(), h.Reason.String(), h.Door
	if h.Clock > wire.ClockFloor && out.Time.Before(a.Heard) {
		out.happened = out.Time
	}
	return out
}
