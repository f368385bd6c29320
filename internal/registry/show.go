package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// alarmSpan is the time that alarms are counted over.
const alarmSpan = 24 * time.Hour

func (f *Front) getGateways(w http.ResponseWriter, r *http.Request) {
	building := r.URL.Query().Get("building")
	now := f.o.Now()
	known, err := f.store.Gateways(r.Context(), building, now.Add(-alarmSpan))
	if err != nil {
		complain(w, err)
		return
	}
	stored := make(map[string]store.Gateway, len(known))
	for _, k := range known {
		stored[k.Place.Address()] = k
	}
	all := []api.Gateway{}
	f.mu.RLock()
	for address, g := range f.gateways {
		if building == "" || g.place.Building == building {
			all = append(all, f.show(g, stored[address], now))
		}
	}
	f.mu.RUnlock()
	slices.SortFunc(all, func(a, b api.Gateway) int { return strings.Compare(a.Address(), b.Address()) })
	answer(w, all)
}

// show joins what is stored of a gateway and what is known of it now. f.mu is
// held.
func (f *Front) show(g *gateway, s store.Gateway, now time.Time) api.Gateway {
	v := &g.view
	out := api.Gateway{Place: api.Place(g.place), Member: g.member, Online: v.online && g.member, Since: when(v.since), Heard: when(v.heard),
		Software: v.hello.Software, Stored: s.Size, Total: s.Total, Line: s.Line, Records: s.Records,
		Sent: v.sent, Claimed: v.hello.List, Applied: s.Applied, AppliedAt: when(s.AppliedAt),
		SetBacks: s.SetBacks, SetBackTo: s.SetBackTo, Alarms: s.Alarms, Forks: s.Forks}
	if s.Epoch != 0 {
		out.Epoch = fmt.Sprintf("%016x", s.Epoch)
	}
	switch {
	case v.hello.Epoch != s.Epoch:
		out.Behind = v.hello.Next
	case v.hello.Next > s.Size:
		out.Behind = v.hello.Next - s.Size
	}
	if b := f.buildings[g.place.Building]; b != nil && b.list.Version > 0 {
		out.List, out.ListHash = b.list.Version, b.list.Hash[:]
		if out.Applied != out.List {
			out.Unproven = now.Sub(b.listAt)
		}
	}
	return out
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (f *Front) getAlarms(w http.ResponseWriter, r *http.Request) {
	limit, err := readLimit(r.URL.Query(), 100, 100_000)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error(), "")
		return
	}
	all := []api.Alarm{}
	err = f.store.Alarms(r.Context(), r.URL.Query().Get("building"), limit, func(p wire.Place, a store.Alarm) error {
		out := api.Alarm{Place: api.Place(p), Epoch: fmt.Sprintf("%016x", a.Epoch), Sequence: a.Sequence, Time: a.Heard, Heard: a.Heard,
			Kind: "fork", Stored: a.Stored}
		if h, err := wire.DecodeHeader(a.Header); err == nil {
			out.Time, out.Kind, out.Outcome, out.Reason, out.Door = h.Time(), h.Kind.String(), h.Outcome.String(), h.Reason.String(), h.Door
		}
		all = append(all, out)
		return nil
	})
	if err != nil {
		complain(w, err)
		return
	}
	answer(w, all)
}

// errEnough ends a query whose limit is reached.
var errEnough = errors.New("enough")

func (f *Front) getEntries(w http.ResponseWriter, r *http.Request) {
	filter, err := readFilter(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error(), "")
		return
	}
	out := newLines(w)
	left := filter.Limit
	err = f.store.Batches(r.Context(), store.Filter{Building: filter.Building, Gateway: filter.Gateway, From: filter.From, To: filter.To},
		func(p wire.Place, row store.Batch) error {
			var b wire.Batch
			if err := wire.Decode(row.Body, &b); err != nil {
				return fmt.Errorf("stored batch of %s: %w", p.Address(), err)
			}
			for i := int(row.First - b.First); i < len(b.Headers); i++ {
				h, err := wire.DecodeHeader(b.Headers[i])
				if err != nil || !passes(filter, h) {
					continue // what can't be read is kept, and shown to nobody
				}
				if left == 0 {
					return errEnough
				}
				left--
				if err := out.e.Encode(showEntry(p, b, i, h)); err != nil {
					return errEnough // whoever asked is gone
				}
			}
			return nil
		})
	if err != nil && !errors.Is(err, errEnough) {
		_ = out.e.Encode(api.Error{Message: err.Error()})
	}
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
	f = api.EntryFilter{Building: q.Get("building"), Gateway: q.Get("gateway"), Door: q.Get("door"), Kind: q.Get("kind")}
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

func passes(f api.EntryFilter, h wire.Header) bool {
	switch {
	case f.Door != "" && h.Door != f.Door, f.Kind != "" && h.Kind.String() != f.Kind:
		return false
	case !f.From.IsZero() && h.Time().Before(f.From), !f.To.IsZero() && !h.Time().Before(f.To):
		return false
	}
	return true
}

func (f *Front) getStatus(w http.ResponseWriter, r *http.Request) {
	entries, batches, err := f.store.Count(r.Context())
	if err != nil {
		complain(w, err)
		return
	}
	last, err := f.store.LastRecord(r.Context())
	if err != nil {
		complain(w, err)
		return
	}
	a := f.authority.Load()
	s := api.Status{Registry: a.trust.Registry, Version: f.o.Version, Started: f.started, Broker: f.o.Config.Broker, Linked: f.link.Connected(),
		Trust: a.trust.Version, Entries: entries, Batches: batches, Bytes: f.store.Size(), Dropped: f.dropped.Load(), Refused: f.refused.Load(),
		LastWork: last, Issuer: f.inbox.attended()}
	s.Queued, _ = f.waiting()
	f.mu.RLock()
	for _, b := range f.buildings {
		if b.envelope != nil {
			s.Buildings++
		}
	}
	for _, g := range f.gateways {
		if g.member {
			s.Gateways++
			if g.view.online {
				s.Online++
			}
		}
	}
	f.mu.RUnlock()
	s.Backup, s.Remarks = when(f.safety.last()), []api.Remark{}
	if err := f.store.Remarks(r.Context(), func(text string, at time.Time) {
		s.Remarks = append(s.Remarks, api.Remark{Time: at, Text: text})
	}); err != nil {
		complain(w, err)
		return
	}
	s.Problems = f.problems(s)
	answer(w, s)
}

// problems says what is wrong, each with what to do.
func (f *Front) problems(s api.Status) []string {
	p := []string{}
	if !s.Linked {
		p = append(p, "the broker can't be reached: look at its log, and at broker in the configuration")
	}
	if f.authority.Load().witness == nil {
		p = append(p, "the trust document does not name this front's witness key, so no gateway believes it: hand in one that does")
	}
	if !s.Issuer {
		p = append(p, "no issuer asks for work: start registryd issue")
	}
	if n := f.failed.Load(); n > 0 {
		p = append(p, fmt.Sprintf("%d messages could not be stored since start: look at the disk and the log; the gateways send them again", n))
	}
	return p
}
