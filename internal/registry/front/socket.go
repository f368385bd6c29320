package front

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/backup"
	"gatehouse/internal/registry/front/disclosure"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/downlink"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/query"
	"gatehouse/internal/registry/front/shelf"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
)

const (
	socketMode    = 0o660
	maxSocketBody = 96 << 20        // a list of 1,024 buckets in base64
	socketGrace   = 2 * time.Second // for running requests at the end
)

// connLog is for an HTTP server's errors of single connections: failed handshakes, and panics.
func connLog(to *zerolog.Logger) *log.Logger { return log.New(connLines{to}, "", 0) }

type connLines struct{ to *zerolog.Logger }

// Write logs one line.
func (l connLines) Write(line []byte) (int, error) {
	l.to.Warn().Str("http", strings.TrimSpace(string(line))).Msg("a connection of HTTP failed")
	return len(line), nil
}

// socketServer returns the server for the issuer and the operator's commands.
func (f *Front) socketServer() *socket.Server {
	o := f.o
	s := socket.NewServer(socket.Options{Path: o.Config.Socket, Name: "front", Network: o.Network, Mode: socketMode, Grace: socketGrace,
		MostBody: maxSocketBody, Lenient: true, ReadTimeout: 2 * o.WorkWait, Explain: refusalOf, Log: o.Log, ErrorLog: connLog(&o.Log)})
	f.serveIssuer(s)
	f.serveOperator(s)
	return s
}

// serveIssuer adds the issuer's requests.
func (f *Front) serveIssuer(s *socket.Server) {
	socket.Handle(s, "GET /v1/work", f.getWork)
	socket.Handle(s, "POST /v1/answers", post(func(_ context.Context, a api.Answer) (struct{}, error) { return struct{}{}, f.inbox.Answer(a) }))
	socket.Handle(s, "GET /v1/heads", get(func(_ context.Context, q url.Values) ([]api.Head, error) {
		return query.Heads(f.roster, q.Get("building")), nil
	}))
	socket.Handle(s, "GET /v1/stored", get(func(ctx context.Context, q url.Values) (api.Stored, error) {
		return query.Stored(ctx, f.store, f.roster, q.Get("building"))
	}))
	socket.Handle(s, "POST /v1/holdings/taken", post(func(_ context.Context, h api.Holding) (struct{}, error) {
		err := f.inbox.TakeHolding(h)
		if err == nil {
			f.roster.HandedOver(h.Place.Address(), h.Nonce)
		}
		return struct{}{}, err
	}))
	socket.Handle(s, "POST /v1/lists", post(f.downlink.Documents.PutList))
	socket.Handle(s, "POST /v1/houses", post(f.downlink.Documents.PutHouse))
	socket.Handle(s, "POST /v1/trust", post(func(ctx context.Context, d api.Document) (api.Pushed, error) {
		return f.downlink.Documents.PutTrust(ctx, d.Envelope)
	}))
	socket.Handle(s, "GET /v1/trusts", get(func(ctx context.Context, _ url.Values) ([][]byte, error) { return f.store.Trusts(ctx) }))
}

// serveOperator adds the requests of the operator's commands.
func (f *Front) serveOperator(s *socket.Server) {
	clock := f.clock
	socket.Handle(s, "POST /v1/undos", post(f.downlink.Documents.PutUndo))
	socket.Handle(s, "POST /v1/backups", post(func(ctx context.Context, k api.Kept) (api.Kept, error) { return f.safety.Keep(ctx, k, f.o.Now()) }))
	socket.Stream(s, "GET /v1/backup", f.getBackup)
	socket.Handle(s, "POST /v1/remarks/done", post(func(ctx context.Context, in struct{}) (struct{}, error) {
		return in, f.page.Retention.PutAway(ctx)
	}))
	f.serveSnapshots(s)
	mandated := disclosure.Desk{Store: f.store, Acts: f.acts, Roster: f.roster, Active: &f.active, Witness: f.keys.witness, Root: f.keys.root, Span: clock.Span, Agreed: clock.Now, Prolong: f.page.Retention.Prolong}
	socket.Handle(s, "POST /v1/disclosures", post(mandated.Ask))
	socket.Handle(s, "GET /v1/disclosures", get(mandated.Given))
	socket.Handle(s, "POST /v1/disclosures/signature", post(mandated.Sign))
	socket.Handle(s, "POST /v1/disclosures/validation", post(mandated.Validate))
	socket.Handle(s, "GET /v1/disclosures/emergencies", get(mandated.Emergencies))
	socket.Handle(s, "GET /v1/disclosures/refusals", get(func(ctx context.Context, q url.Values) ([]api.Refused, error) {
		return query.Refusals(ctx, f.store, q)
	}))
	socket.Handle(s, "GET /v1/disclosures/notices", get(mandated.Notices))
	socket.Handle(s, "POST /v1/disclosures/told", post(mandated.Told))
	socket.Stream(s, "GET /v1/disclosures/ledger", func(w http.ResponseWriter, _ *http.Request, _ socket.None) error { return f.acts.Copy(w) })
	socket.Stream(s, "GET /v1/disclosures/batches", func(w http.ResponseWriter, r *http.Request, _ socket.None) error { return mandated.Batches(w, r) })
	socket.Handle(s, "GET /v1/counts", get(func(ctx context.Context, q url.Values) (api.Counts, error) {
		return query.Counts(ctx, f.store, f.page.Retention.Counts, q)
	}))
	socket.Handle(s, "GET /v1/person", f.getPerson)
	socket.Handle(s, "GET /v1/gateways", get(func(ctx context.Context, q url.Values) ([]api.Gateway, error) {
		return f.page.Gateways(ctx, q.Get("building"))
	}))
	socket.Handle(s, "GET /v1/clock", get(func(context.Context, url.Values) (agreed.Report, error) { return clock.Report(), nil }))
	socket.Handle(s, "POST /v1/clock", func(*http.Request, socket.None) (agreed.Report, error) { return clock.Confirm() })
	socket.Stream(s, "GET /v1/entries", func(w http.ResponseWriter, req *http.Request, _ socket.None) error {
		return query.Entries(f.store, w, req)
	})
	socket.Stream(s, "GET /v1/seals", func(w http.ResponseWriter, req *http.Request, _ socket.None) error {
		return f.page.Retention.Seals(w, req)
	})
	socket.Handle(s, "POST /v1/forget", post(f.page.Retention.Forget))
	socket.Handle(s, "GET /v1/ledger", get(func(context.Context, url.Values) ([]byte, error) { return f.page.Retention.Ledger() }))
	socket.Handle(s, "POST /v1/holds", post(f.page.Retention.Preserve))
	socket.Handle(s, "GET /v1/holds", get(func(context.Context, url.Values) ([]api.Hold, error) { return f.page.Retention.Holds(), nil }))
	socket.Handle(s, "GET /v1/alarms", func(req *http.Request, _ socket.None) ([]api.Alarm, error) { return query.Alarms(f.store, req) })
	socket.Handle(s, "GET /v1/vkeys", get(func(ctx context.Context, q url.Values) (api.VKeys, error) {
		return query.VKeys(ctx, f.store, f.roster, f.active.Load().Trust, q.Get("building"))
	}))
	socket.Handle(s, "GET /v1/status", get(func(ctx context.Context, _ url.Values) (api.Status, error) { return f.status(ctx) }))
}

// serveSnapshots adds the operator's requests about backups of gateways.
func (f *Front) serveSnapshots(s *socket.Server) {
	kept := shelf.New(f.store, f.o.Now)
	socket.Handle(s, "GET /v1/snapshots", get(func(ctx context.Context, q url.Values) ([]api.Snapshot, error) {
		all, err := kept.List(ctx, q.Get("building"))
		for i, n := range all {
			g := f.roster.Find(n.Place.Address())
			all[i].Removed = g == nil || !f.roster.Look(g).Member
		}
		return all, err
	}))
	socket.Handle(s, "GET /v1/snapshot", get(func(ctx context.Context, q url.Values) ([]byte, error) {
		turn, err := strconv.Atoi(q.Get("turn"))
		if err != nil {
			return nil, socket.Refused(http.StatusBadRequest, "", "want turn=NUMBER")
		}
		return kept.Body(ctx, api.Place{Building: q.Get("building"), Gateway: q.Get("gateway")}, turn)
	}))
	socket.Handle(s, "POST /v1/snapshots/drop", post(func(ctx context.Context, p api.Place) (struct{}, error) { return struct{}{}, kept.Drop(ctx, p) }))
}

// post adapts do, which gets a message, to a handler.
func post[In, Out any](do func(context.Context, In) (Out, error)) func(*http.Request, In) (Out, error) {
	return func(r *http.Request, in In) (Out, error) { return do(r.Context(), in) }
}

// get adapts do, which gets the query, to a handler.
func get[Out any](do func(context.Context, url.Values) (Out, error)) func(*http.Request, socket.None) (Out, error) {
	return func(r *http.Request, _ socket.None) (Out, error) { return do(r.Context(), r.URL.Query()) }
}

// status returns the front's status.
func (f *Front) status(ctx context.Context) (api.Status, error) {
	o := f.o
	s := api.Status{Version: o.Version, Started: f.page.Started, Broker: o.Config.Broker, Linked: f.link.Connected()}
	s.Dropped, s.Refused = f.intake.Counts()
	s.Refused += f.enrolment.Refused()
	s.Queued, _ = f.intake.Waiting()
	return f.page.Status(ctx, s)
}

func (f *Front) getWork(req *http.Request, _ socket.None) (api.Work, error) {
	q := req.URL.Query()
	after, err1 := strconv.ParseUint(q.Get("after"), 10, 63)
	wait, err2 := strconv.ParseFloat(q.Get("wait"), 64)
	if err1 != nil || err2 != nil || !(wait >= 0 && wait <= 3600) {
		return api.Work{}, socket.Refused(http.StatusBadRequest, "", "want after=NUMBER and wait=SECONDS")
	}
	return f.inbox.Work(req.Context(), after, time.Duration(wait*float64(time.Second)))
}

func (f *Front) getPerson(req *http.Request, _ socket.None) ([]byte, error) {
	hash, err := hex.DecodeString(req.URL.Query().Get("hash"))
	if err != nil {
		return nil, socket.Refused(http.StatusBadRequest, "", "want hash=HEX")
	}
	sealed, err := f.store.Person(req.Context(), hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, socket.Refused(http.StatusNotFound, "", "no person of this hash is stored")
	}
	return sealed, err
}

// getBackup answers with a copy of the database. Its content counts as safe once the client reports
// that the copy is stored.
func (f *Front) getBackup(w http.ResponseWriter, req *http.Request, _ socket.None) error {
	id := req.URL.Query().Get("id")
	if id == "" {
		return socket.Refused(http.StatusBadRequest, "", "want id=TEXT")
	}
	file, err := f.safety.Copy(req.Context(), id)
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.Copy(w, file) // the client verifies it
	return nil
}

// refusalOf returns the refusal for an error.
func refusalOf(err error) *socket.Error {
	out := &socket.Error{Status: http.StatusUnprocessableEntity, Message: err.Error()}
	switch {
	case errors.Is(err, inbox.ErrGone), errors.Is(err, backup.ErrNoCopy):
		out.Status = http.StatusNotFound
	case errors.Is(err, shelf.ErrNone):
		out.Status, out.Hint = http.StatusNotFound, "registryd snapshot list shows those that are kept"
	case errors.Is(err, document.ErrStale):
		out.Status, out.Hint = http.StatusConflict, "the issuer's database may be older than the front's: restore the newer one"
	case errors.Is(err, downlink.ErrLacks), errors.Is(err, store.ErrGap):
		out.Status, out.Hint = http.StatusConflict, "hand in all buckets"
	}
	return out
}
