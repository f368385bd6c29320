package disclosure

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/disclosure/acts"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
)

// quiet is how long a gateway may seem to be connected that is not: until the broker's keep-alive runs out.
const quiet = 2 * time.Minute

// lacks adds to an answer what the registry does not have of its time, or can't know that it has: the
// gateway has announced more, or nothing of it shows that it had no more to send.
func (d Desk) lacks(tx *store.Tx, q *question, out *api.Disclosed) error {
	v := q.gateway.View
	l := api.Lacks{Online: v.Online}
	if !v.Heard.IsZero() {
		heard := v.Heard.UTC()
		l.Heard = &heard
	}
	stored, err := tx.Range(q.id, v.Hello.Epoch)
	if err != nil {
		return err
	}
	if v.Hello.Next > stored.Size() {
		l.Behind = v.Hello.Next - stored.Size()
	}
	for _, left := range out.Left {
		if left.Why == api.NotCosigned {
			l.NotCosigned += left.End - left.First
		}
	}
	until := time.Unix(int64(q.mandate.Request.Until), 0)
	through := v.Online && !q.first.Before(until.Add(quiet))
	if !through {
		through, err = tx.Disclosures.Beyond(q.id, until)
	}
	if !through || l.Behind+l.NotCosigned > 0 {
		out.Lacks = &l
	}
	return err
}

// supplemented returns the newest part of an answer; of one that was not complete, with what has come
// since. That is no other use: it is stored beside the answer, and judged anew, so that nothing follows
// a mandate that has ended.
func (d Desk) supplemented(tx *acts.Tx, q *question, number int) (was api.Disclosed, err error) {
	a, err := tx.Disclosures.Newest(q.mandate.Reference, q.id, number)
	if was, err = readPlan(a, err); err != nil || was.Lacks == nil {
		return was, err
	}
	now, err := d.made(tx.Tx, q)
	if err != nil {
		return was, err
	}
	was.Lacks, was.Left = now.Lacks, now.Left
	use, refusal := mandate.Judge(q.Mandate, d.Active.Load().Trust, mandate.Question{Place: q.gateway.Place, Now: q.now()})
	if was.Closed = refusal; refusal != nil || use.Uncertain {
		return was, nil
	}
	// While a gateway sends, each of its batches would make a part.
	if now.Lacks != nil && (now.Lacks.Online || entries(now) <= entries(was)) {
		return was, nil
	}
	now.Number, now.Part = number, was.Part+1
	if err := add(tx, q, now); err != nil {
		return was, err
	}
	now.Fresh = true
	return now, nil
}

// entries counts those of an answer.
func entries(d api.Disclosed) (n uint64) {
	for _, l := range d.Logs {
		n += l.End - l.First
	}
	return n
}

// Given lists the answers of a time, oldest first, with no word of what they are about.
func (d Desk) Given(ctx context.Context, q url.Values) ([]api.Given, error) {
	var bounds [2]time.Time
	for i, name := range []string{"from", "to"} {
		at, err := time.Parse(time.RFC3339Nano, q.Get(name))
		if err != nil {
			return nil, socket.Refused(http.StatusBadRequest, "", "want %s as 2026-01-31T08:00:00+08:00", name)
		}
		bounds[i] = at
	}
	all := []api.Given{}
	for g, err := range store.GivenWithin(ctx, d.Store, bounds[0], bounds[1]) {
		if err != nil {
			return nil, err
		}
		out := api.Given{Reference: g.Reference, Number: g.Number, At: g.At.UTC(), Uncertain: g.Uncertain, Part: g.Part}
		var plan struct {
			Lacks *api.Lacks `json:"lacks"`
		}
		if err := json.Unmarshal(g.Plan, &plan); err != nil {
			return nil, err
		}
		if out.Complete = plan.Lacks == nil; g.Part > 0 {
			at := g.PartAt.UTC()
			out.PartAt = &at
		}
		all = append(all, out)
	}
	return all, nil
}
