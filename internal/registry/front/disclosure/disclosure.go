// Package disclosure hands out, under a mandate, what the registry has stored of a gateway's log:
// sealed, as it came. It judges the mandate by the trust document, stores that it answers before it
// does, and has the witness sign what the holder of the records key makes of it.
//
// It opens nothing, since it has no key that could, and refuses whatever the mandate does not name:
// another gateway, a time or a door more, an answer more.
package disclosure

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/evidence"
	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/disclosure/acts"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/query"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/internal/tree"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/mandates"
)

// Desk answers mandates. Safe for concurrent use.
type Desk struct {
	Store   *store.Store
	Acts    *acts.Ledger // of the same store
	Roster  *roster.Roster
	Active  *document.Active
	Witness ed25519.PrivateKey
	Root    ed25519.PublicKey
	Span    func() (first, last time.Time) // the time lies between them
	Agreed  func() (time.Time, agreed.Doubt)
	// Prolong makes what an officer has ordered to preserve at a gateway, and the mandate covers, last longer.
	Prolong func(ctx context.Context, gateway string, m mandates.Mandate) error
}

// Ask answers a mandate, after that was stored, and makes what it covers of officers' orders last until it expires. A
// refusal of the mandate is no error, and is counted.
func (d Desk) Ask(ctx context.Context, a api.Asked) (api.Disclosed, error) {
	// The answer is stored even if whoever asked goes away: then it can be asked for again. And a row that is read
	// takes a tenth longer where the context may end.
	ctx = context.WithoutCancel(ctx)
	m, refusal := mandate.Open(a.Mandate, d.Active.Load().Trust)
	var err error
	if refusal == nil {
		refusal, err = d.withdrawn(ctx, m, a.Mandate)
	}
	if refusal != nil || err != nil {
		return api.Disclosed{Refusal: refusal}, errors.Join(err, d.refused(ctx, m, refusal))
	}
	g := d.Roster.Find(m.Request.Building + "/" + a.Gateway)
	if g == nil || !d.Roster.Look(g).Member {
		return api.Disclosed{}, socket.Refused(http.StatusNotFound, "登记中心用 registryd gateways --building 查看 registryd gateways --building shows them at the registry",
			"没有这个网关 no gateway %s/%s", m.Request.Building, a.Gateway)
	}
	q := question{Asked: a, mandate: m, gateway: d.Roster.Look(g)}
	place := q.gateway.Place
	if a.Again > 0 {
		return d.again(ctx, q)
	}
	q.reached, err = query.Reach(ctx, d.Store, place.Building, place.Gateway, m.Request.Doors(place.Gateway),
		time.Unix(int64(m.Request.From), 0), time.Unix(int64(m.Request.Until), 0))
	if err != nil {
		return api.Disclosed{}, err
	}
	if err := d.knowsDoors(m, place, q.reached); err != nil {
		return api.Disclosed{}, err
	}
	if q.onSite, err = d.onSite(ctx, m, a.Mandate); err != nil {
		return api.Disclosed{}, err
	}
	q.first, q.last = d.Span()
	var out api.Disclosed
	err = d.Acts.Update(ctx, func(tx *acts.Tx) error {
		if q.id, _, err = tx.Gateway(place); err == nil {
			out, err = d.answer(tx, &q)
		}
		return err
	})
	if err == nil && out.Number > 0 {
		err = d.Prolong(context.WithoutCancel(ctx), place.Address(), m)
	}
	return out, err
}

// question is a mandate that is shown for a gateway.
type question struct {
	api.Asked
	mandate     mandate.Mandate
	gateway     roster.State
	id          int64 // of the gateway, in the store
	reached     []query.Reached
	onSite      []uses
	first, last time.Time // it is between them
}

// now is the time as the judge of mandates wants it.
func (q *question) now() trueclock.Interval {
	return trueclock.Interval{Sure: q.first.Unix(), Lo: q.first.Unix(), Hi: q.last.Unix()}
}

// answer gives the newest answer with what has come since, where that is asked for, or a new one.
func (d Desk) answer(tx *acts.Tx, q *question) (out api.Disclosed, err error) {
	counts, err := d.usesOf(tx.Tx, q)
	if err != nil {
		return out, err
	}
	number := 0
	if q.Last {
		number, err = tx.Disclosures.Last(q.mandate.Reference, q.id, q.Mandate)
	}
	switch {
	case err != nil:
	case number > 0:
		out, err = d.supplemented(tx, q, number)
	default:
		out, err = d.fresh(tx, q, counts.used)
	}
	out.OnSite, out.Elsewhere = counts.onSite, counts.elsewhere
	return out, err
}

// fresh gives a new answer, and stores it.
func (d Desk) fresh(tx *acts.Tx, q *question, used int) (api.Disclosed, error) {
	use, refusal, err := d.judge(tx.Tx, q.Mandate, mandate.Question{Place: q.gateway.Place, Now: q.now(), Used: used})
	if err != nil || refusal != nil {
		return api.Disclosed{Refusal: refusal}, errors.Join(err, count(tx, q.last, q.mandate, refusal))
	}
	out, err := d.made(tx.Tx, q)
	if err != nil {
		return out, err
	}
	if out.Uncertain = use.Uncertain; len(out.Logs) == 0 && (len(out.Left) > 0 || out.Lacks != nil) {
		return out, nil // nothing is handed out yet: this is not one of the mandate's answers
	}
	out.Number = use.Number
	if err := add(tx, q, out); err != nil {
		return out, err
	}
	out.Fresh = true
	return out, owe(tx, q.gateway.Place, use, out.At)
}

// made is what an answer is made of now, without its number.
func (d Desk) made(tx *store.Tx, q *question) (api.Disclosed, error) {
	trust, place := d.Active.Load(), q.gateway.Place
	out := api.Disclosed{Reference: q.mandate.Reference, Place: api.Place(place), Registry: trust.Trust.Registry, Root: d.Root, Key: q.gateway.Key.Public,
		Trust: trust.Envelope, House: d.Roster.Building(place.Building).Document.Envelope, Witness: d.Witness.Public().(ed25519.PublicKey),
		At: q.last.UTC().Truncate(time.Millisecond), Earliest: q.first.UTC(), Latest: q.last.UTC()}
	err := d.cut(tx, &out, q.reached)
	if err == nil {
		out.Epochs, err = epochs(tx, q.id)
	}
	if err != nil {
		return out, err
	}
	return out, d.lacks(tx, q, &out)
}

// epochs are all that is known of a gateway: who has its key could begin another one to hide what the last has.
func epochs(tx *store.Tx, gateway int64) (all []api.EpochHead, err error) {
	stored, err := tx.Disclosures.Epochs(gateway)
	if err != nil {
		return nil, err
	}
	for _, e := range stored {
		r, err := tree.Decode(e.Tree)
		if err != nil {
			return nil, fmt.Errorf("tree of epoch %016x: %w", e.Epoch, err)
		}
		all = append(all, api.EpochHead{Epoch: e.Epoch, Size: r.Size(), Root: wire.Hash(r.Root())})
	}
	return all, nil
}

// everyGateway is the gateway, and the number, of the row by which a mandate is known as withdrawn.
const everyGateway = 0

// withdrawn keeps a paper that withdraws a mandate, and refuses the mandate once one was shown.
func (d Desk) withdrawn(ctx context.Context, m mandate.Mandate, envelope []byte) (*mandate.Refusal, error) {
	known, err := store.Handed(ctx, d.Store).Find(m.Reference, everyGateway, everyGateway)
	switch {
	case err == nil:
		_, refusal := mandate.Judge(known.Mandate, d.Active.Load().Trust, mandate.Question{})
		return refusal, nil
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	case m.Status != mandates.Withdrawn:
		return nil, nil
	}
	_, last := d.Span()
	return nil, d.Acts.Update(context.WithoutCancel(ctx), func(tx *acts.Tx) error {
		_, err := tx.Disclosures.Find(m.Reference, everyGateway, everyGateway)
		if errors.Is(err, store.ErrNotFound) { // else it was shown twice at once
			err = tx.Do(acts.Act{Answer: &acts.Answer{Reference: m.Reference, At: last, Mandate: envelope, Plan: []byte("{}")}})
		}
		return err
	})
}

// knowsDoors refuses a door that the house document does not name where nothing of any door of the
// mandate is stored: a door by another name is no proof that nobody came.
func (d Desk) knowsDoors(m mandate.Mandate, place wire.Place, reached []query.Reached) error {
	g := d.Roster.Building(place.Building).House.Gateway(place.Gateway)
	if len(reached) > 0 || g == nil {
		return nil
	}
	for _, door := range m.Request.Doors(place.Gateway) {
		if !slices.Contains(g.Doors, door) {
			return socket.Refused(http.StatusNotFound, "调取令须按网关的写法写明门 the mandate must name doors as the gateway does: "+strings.Join(g.Doors, ", "),
				"%s 没有门 has no door %s，该时间内也没有这个名称的门的记录，未计次 and no entry of a door of that name is stored in the mandate's time: nothing is counted", place.Address(), door)
		}
	}
	return nil
}

// add stores an answer, or a part of it, with what it is made of.
func add(tx *acts.Tx, q *question, out api.Disclosed) error {
	out.Told = api.Told{}
	plan, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return tx.Do(acts.Act{Answer: &acts.Answer{Place: api.Place(q.gateway.Place), Reference: out.Reference, Number: out.Number, Part: out.Part, At: out.At,
		Uncertain: out.Uncertain, Mandate: q.Mandate, Plan: plan}})
}

// cut takes what was reached up to the newest cosigned checkpoint of each epoch: what is behind it is
// not proved yet, and is asked for later.
func (d Desk) cut(tx *store.Tx, out *api.Disclosed, reached []query.Reached) error {
	out.Logs, out.Left = []api.DisclosedLog{}, []api.LeftOut{}
	for _, r := range reached {
		c := checkpoint.Checkpoint{Address: out.Place.Address(), Epoch: r.Epoch}
		size, unix, err := tx.Cosigned(r.Gateway, r.Epoch)
		if err != nil {
			return err
		}
		if c.Size = size; size < r.End {
			out.Left = append(out.Left, api.LeftOut{Epoch: r.Epoch, First: max(size, r.First), End: r.End, Why: api.NotCosigned})
		}
		if size <= r.First {
			continue
		}
		note, ok, err := d.note(tx, r, c, unix)
		switch {
		case err != nil:
			return err
		case !ok:
			out.Left = append(out.Left, api.LeftOut{Epoch: r.Epoch, First: r.First, End: min(r.End, size), Why: api.OtherKey})
		default:
			out.Logs = append(out.Logs, api.DisclosedLog{Epoch: r.Epoch, First: r.First, End: min(r.End, size), Size: size, Note: note, Within: r.Within})
		}
	}
	return nil
}

// note returns the checkpoint that was cosigned last, with the signature of the gateway, which came
// with its batch, and that of the witness, which is the same whenever it is made. It reports whether
// the gateway's key of today has signed it.
func (d Desk) note(tx *store.Tx, r query.Reached, c checkpoint.Checkpoint, unix int64) (string, bool, error) {
	last, err := tx.Overlapping(r.Gateway, r.Epoch, c.Size-1, c.Size, 1)
	if err != nil {
		return "", false, err
	}
	var b wire.Batch
	if len(last) == 1 {
		err = wire.Decode(last[0].Body, &b)
	}
	if err != nil || len(last) != 1 || b.First+uint64(len(b.Headers)) != c.Size {
		return "", false, fmt.Errorf("no batch of %s ends at the cosigned checkpoint, before entry %d: %w", c.Address, c.Size, err)
	}
	c.Root = b.Root
	key := d.Roster.Look(d.Roster.Find(c.Address)).Key.Public
	w := checkpoint.Cosignature{Name: checkpoint.WitnessName(d.Active.Load().Trust.Registry), Public: d.Witness.Public().(ed25519.PublicKey),
		Time: uint64(unix), Signature: c.Cosign(d.Witness, uint64(unix))}
	return c.Note(key, b.Signature, w), c.Verify(key, b.Signature), nil
}

// again returns an answer as its newest part was given.
func (d Desk) again(ctx context.Context, q question) (out api.Disclosed, err error) {
	var a store.Disclosure
	err = d.Store.Update(ctx, func(tx *store.Tx) error {
		if q.id, _, err = tx.Gateway(q.gateway.Place); err == nil {
			a, err = tx.Disclosures.Newest(q.mandate.Reference, q.id, q.Again)
		}
		return err
	})
	if err == nil && !bytes.Equal(a.Mandate, q.Mandate) {
		return out, socket.Refused(http.StatusConflict, "show the file with which it was asked for: an answer has what that one allows",
			"answer %d was given under another paper that has the same reference", q.Again)
	}
	return readPlan(a, err)
}

// readPlan reads what an answer is made of; err is that of looking it up.
func readPlan(a store.Disclosure, err error) (out api.Disclosed, _ error) {
	if errors.Is(err, store.ErrNotFound) {
		return out, noAnswer(a.Number)
	}
	if err == nil {
		err = json.Unmarshal(a.Plan, &out)
	}
	return out, err
}

// part says which part of which answer is meant.
type part struct {
	reference wire.ID
	place     wire.Place
	number    int
	part      int
	epoch     uint64
}

// log returns the part of an epoch of an answer, and the gateway's number in the store.
func (d Desk) log(ctx context.Context, p part) (l api.DisclosedLog, gateway int64, err error) {
	var a store.Disclosure
	handed := store.Handed(ctx, d.Store)
	if gateway, err = handed.Gateway(p.place); err == nil {
		a, err = handed.Part(p.reference, gateway, p.number, p.part)
	}
	if errors.Is(err, store.ErrNotFound) {
		return l, 0, noAnswer(p.number)
	}
	var plan struct {
		Logs []api.DisclosedLog `json:"logs"` // all else is long
	}
	if err == nil {
		err = json.Unmarshal(a.Plan, &plan)
	}
	if err != nil {
		return l, 0, err
	}
	for _, l := range plan.Logs {
		if l.Epoch == p.epoch {
			return l, gateway, nil
		}
	}
	return l, 0, socket.Refused(http.StatusNotFound, "", "that answer has nothing of epoch %016x", p.epoch)
}

func noAnswer(number int) error {
	return socket.Refused(http.StatusNotFound, "without --again a new answer is given, if the mandate has one left", "no answer %d of this gateway under that mandate", number)
}

// Batches writes the batches of a log of an answer for api.Mandated.Batches: all that are below its size,
// since the proof needs their hashes, and the seals of those that were asked for.
func (d Desk) Batches(w http.ResponseWriter, r *http.Request) error {
	p, err := d.asked(r.URL.Query())
	if err != nil {
		return socket.Refused(http.StatusBadRequest, "", "%v", err)
	}
	l, gateway, err := d.log(r.Context(), p)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	out := api.NewBatchWriter(w)
	// A client that is gone ends this by what is written to it.
	for b, err := range d.Store.Seals().Log(context.WithoutCancel(r.Context()), gateway, p.epoch, l.Size, l.First, l.End) {
		if err != nil {
			_ = out.End(err)
			return nil
		}
		if out.Write(api.SealedBatch{First: b.First, Next: b.Next, Body: b.Body, Sealed: b.Sealed, Encapsulated: b.Encapsulated}) != nil {
			return nil // the client is gone
		}
	}
	_ = out.End(nil)
	return nil
}

func (d Desk) asked(q url.Values) (p part, err error) {
	g := d.Roster.Find(q.Get("building") + "/" + q.Get("gateway"))
	if g == nil {
		return p, errors.New("no such gateway")
	}
	var errs [4]error
	p.place = d.Roster.Look(g).Place
	errs[0] = p.reference.UnmarshalText([]byte(q.Get("reference")))
	p.number, errs[1] = strconv.Atoi(q.Get("number"))
	p.epoch, errs[2] = strconv.ParseUint(q.Get("epoch"), 10, 64)
	p.part, errs[3] = strconv.Atoi(cmp.Or(q.Get("part"), "0"))
	return p, errors.Join(errs[:]...)
}

// Sign signs, as the witness, the sums of an evidence file of an answer that was given, and nothing
// else: no checkpoint and no cosignature reads like it.
func (d Desk) Sign(ctx context.Context, s api.ToSign) ([]byte, error) {
	if _, _, err := d.log(ctx, part{s.Reference, wire.Place(s.Place), s.Number, s.Part, s.Epoch}); err != nil {
		return nil, err
	}
	log := checkpoint.Checkpoint{Address: s.Place.Address(), Epoch: s.Epoch}
	if !evidence.IsSigned(s.Text, log.Origin()) {
		return nil, socket.Refused(http.StatusBadRequest, "", "that is not what is signed of an evidence file")
	}
	return ed25519.Sign(d.Witness, s.Text), nil
}
