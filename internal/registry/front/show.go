package front

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// alarmSpan is the time that alarms are counted over.
const alarmSpan = 24 * time.Hour

func (f *Front) getGateways(r *http.Request, _ socket.None) (any, error) {
	building := r.URL.Query().Get("building")
	now := f.o.Now()
	known, err := f.store.Gateways(r.Context(), building, now.Add(-alarmSpan))
	if err != nil {
		return nil, err
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
	return all, nil
}

// show joins what is stored of a gateway and what is known of it now. f.mu is
// held.
func (f *Front) show(g *gateway, s store.Gateway, now time.Time) api.Gateway {
	v := &g.view
	out := api.Gateway{Place: api.Place(g.place), Member: g.member, Online: v.online && g.member, Since: when(v.since), Heard: when(v.heard),
		Software: v.hello.Software, Stored: s.Size, Total: s.Total, Line: s.Line, Records: s.Records,
		Sent: v.sent, Claimed: v.hello.List, Applied: s.Applied, AppliedAt: when(s.AppliedAt),
		SetBacks: s.SetBacks, SetBackTo: s.SetBackTo, Alarms: s.Alarms, Forks: s.Forks}
	if !v.said.IsZero() {
		out.Wall, out.Clock, out.Said = when(time.UnixMilli(v.hello.Wall).UTC()), v.hello.Clock.String(), time.Since(v.said)
	}
	out.Zone, out.TooOld = v.hello.Zone, v.mute
	if s := v.hello.Floor; s.Unix > 0 {
		out.Signed = &api.Floor{Role: string(s.Role), Epoch: s.Epoch, Unix: s.Unix, Undos: s.Undos}
	}
	if v.refuses != wire.ReasonNone {
		out.Refuses = v.refuses.String()
	}
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
		out.List, out.ListHash, out.ListAt = b.list.Version, bytes.Clone(b.list.Hash[:]), when(b.listAt)
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

func (f *Front) getAlarms(r *http.Request, _ socket.None) (any, error) {
	limit, err := readLimit(r.URL.Query(), 100, 100_000)
	if err != nil {
		return nil, socket.Refused(http.StatusBadRequest, "", "%v", err)
	}
	var all []datedAlarm
	err = f.store.Alarms(r.Context(), r.URL.Query().Get("building"), limit, func(p wire.Place, a store.Alarm) error {
		all = append(all, shownAlarm(p, a))
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b datedAlarm) int { return b.happened.Compare(a.happened) })
	out := []api.Alarm{}
	for _, a := range all {
		out = append(out, a.Alarm)
	}
	return out, nil
}

// datedAlarm is an alarm with when it happened, as far as anybody knows: those of a
// gateway that was away are heard late, many at once, and a clock may be wrong.
type datedAlarm struct {
	api.Alarm
	happened time.Time
}

func shownAlarm(p wire.Place, a store.Alarm) datedAlarm {
	out := datedAlarm{happened: a.Heard, Alarm: api.Alarm{Place: api.Place(p), Epoch: fmt.Sprintf("%016x", a.Epoch), Sequence: a.Sequence,
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

func (f *Front) getStatus(r *http.Request, _ socket.None) (any, error) {
	entries, batches, err := f.store.Count(r.Context())
	if err != nil {
		return nil, err
	}
	last, err := f.store.LastRecord(r.Context())
	if err != nil {
		return nil, err
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
	s.Backup, s.PutBack, s.Remarks = when(f.safety.last()), when(f.putBack), []api.Remark{}
	if err := f.store.Remarks(r.Context(), func(text string, at time.Time) {
		s.Remarks = append(s.Remarks, api.Remark{Time: at, Text: text})
	}); err != nil {
		return nil, err
	}
	s.Problems = f.problems(s)
	return s, nil
}

// problems says what is wrong, each with what to do.
func (f *Front) problems(s api.Status) []string {
	p := []string{}
	if advice := f.clock.Report().Advice(); advice != "" {
		p = append(p, advice)
	}
	if !s.Linked {
		p = append(p, "the broker can't be reached: look at its log, and at broker in the configuration")
	}
	if f.authority.Load().witness == nil {
		p = append(p, "the trust document does not name this front's witness key, so no gateway believes it: hand in one that does")
	}
	if !s.Issuer {
		p = append(p, "no issuer asks for work: start registryd issue")
	}
	p = append(p, f.endings()...)
	p = append(p, f.refusals()...)
	p = append(p, f.floors()...)
	p = append(p, f.shorts()...)
	p = append(p, f.strangers()...)
	if since := f.failing.Load(); since > 0 {
		p = append(p, fmt.Sprintf("no message can be stored since %s (%d since start): look at the disk and the log, and make room; the gateways send them again",
			calendar.Minute(time.Unix(since, 0), time.UTC), f.failed.Load()))
	}
	return p
}

// strangerFor is how long a machine counts as there that spoke with another's name: one
// that is not answered says hello every minute.
const strangerFor = 5 * time.Minute

// strangers says in whose name somebody speaks who has not their key.
func (f *Front) strangers() (lines []string) {
	now := f.o.Now()
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, g := range f.gateways {
		if g.member && !g.stranger.IsZero() && now.Sub(g.stranger) < strangerFor {
			lines = append(lines, fmt.Sprintf("somebody speaks as gateway %s with a key that is not its key, or is no more: the machine that was replaced, or an old copy of its card. "+
				"If that is the machine that shall serve, enrol it anew with an empty folder of keys (registryd gateway add --replace, and gatehouse enrol there); else switch it off", g.address))
		}
	}
	return limited(lines)
}

// shortAfter is how long entries may be on their way that a gateway has said it has.
const shortAfter = 5 * time.Minute

// shorts says which gateways are heard, and their entries do not come. No owner is told:
// it would say that somebody came in.
func (f *Front) shorts() (lines []string) {
	now := f.o.Now()
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, g := range f.gateways {
		since, asked := g.books.short, g.books.held(now) > 0 // asked to wait: alarms say why
		if g.member && g.view.online && !asked && !since.IsZero() && now.Sub(since) > shortAfter {
			lines = append(lines, fmt.Sprintf("gateway %s says since %s that it has entries which do not come, and its other messages do (registryd gateways, BEHIND): "+
				"look at what the broker does with its topic %s", g.address, calendar.Minute(since, time.UTC), g.place.Up(wire.TypeBatch)))
		}
	}
	return limited(lines)
}

// maxRefusalLines is how many gateways that refuse a list are named.
const maxRefusalLines = 8

// refusals says which gateways do not take the newest list of their building.
func (f *Front) refusals() (lines []string) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	lines = f.mute()
	for _, g := range f.gateways {
		why := g.view.refuses
		if !g.member || why == wire.ReasonNone {
			continue
		}
		what := "registryd gateways --building " + g.place.Building + " shows what it has"
		switch why {
		case wire.ReasonSecondNeeded:
			what = "registryd lists --building " + g.place.Building + " shows whether another issuer is to sign"
		case wire.ReasonUnproved:
			what = "it hands over its own, and the next list follows that; registryd status tells what came of it"
		case wire.ReasonGivenBack:
			what = "what was ended stays ended; registryd reinstate makes new grants"
		}
		lines = append(lines, fmt.Sprintf("gateway %s does not take list %d whole (%s): %s", g.address, f.buildings[g.place.Building].list.Version, why, what))
	}
	return limited(lines)
}

// limited are the first lines about gateways, and how many there are more.
func limited(lines []string) []string {
	slices.Sort(lines)
	if more := len(lines) - maxRefusalLines; more > 0 {
		lines = append(lines[:maxRefusalLines], fmt.Sprintf("and %s more: registryd gateways", amount.Of(more, "gateway")))
	}
	return lines
}
