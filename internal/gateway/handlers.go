package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// maxRequest bounds a request: a whole list of 100,000 grants in base64.
const maxRequest = 32 << 20

// answer computes the answer to a request, or an error.
type answer func(*http.Request) (any, error)

// failure is an error with the HTTP status that it deserves.
type failure struct {
	status int
	body   control.Error
}

func (f *failure) Error() string { return f.body.Message }

func fail(status int, hint, format string, args ...any) error {
	return &failure{status: status, body: control.Error{Message: fmt.Sprintf(format, args...), Hint: hint}}
}

func (g *Gateway) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]answer{
		"GET /v1/status":                g.getStatus,
		"POST /v1/doors/{door}/release": g.postRelease,
		"POST /v1/fire/reset":           g.postFireReset,
		"POST /v1/clock/confirm":        g.postClockConfirm,
		"GET /v1/keys":                  g.getKeys,
		"GET /v1/grants":                g.getGrants,
		"PUT /v1/grants":                g.putGrants,
		"POST /v1/swipe":                g.postSwipe,
		"POST /v1/printed":              g.postPrinted,
		"GET /v1/adopt":                 g.getAdopt,
		"POST /v1/adopt":                g.postAdopt,
	} {
		mux.Handle(pattern, g.respond(f))
	}
	routes := g.deskRoutes()
	maps.Copy(routes, g.readerRoutes())
	for pattern, f := range routes {
		mux.Handle(pattern, g.respond(f))
	}
	mux.HandleFunc("GET /v1/log", g.streamLog)
	return mux
}

func (g *Gateway) respond(f answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.requests.Add(1)
		defer g.requests.Done()
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		v, err := f(r)
		if err != nil {
			writeError(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the tool went away
	})
}

func writeError(w http.ResponseWriter, err error) {
	f := &failure{status: http.StatusInternalServerError, body: control.Error{Message: err.Error()}}
	errors.As(err, &f)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(f.body)
}

func read[T any](r *http.Request) (v T, err error) {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fail(http.StatusBadRequest, "use the tool of the same version as the daemon", "request not understood: %v", err)
	}
	return v, nil
}

func (g *Gateway) door(id string) (*servedDoor, error) {
	var known []string
	for _, d := range g.doors {
		if d.cfg.ID == id {
			return d, nil
		}
		known = append(known, d.cfg.ID)
	}
	return nil, fail(http.StatusNotFound, "doors of this gateway: "+strings.Join(known, ", "), "no door %q here", id)
}

func (g *Gateway) postRelease(r *http.Request) (any, error) {
	d, err := g.door(r.PathValue("door"))
	if err != nil {
		return nil, err
	}
	state, err := d.Release(r.Context())
	if err != nil {
		return nil, fmt.Errorf("release door %s: %w", d.cfg.ID, err)
	}
	if msg := d.Status().LockErr; msg != "" {
		return nil, fail(http.StatusBadGateway, "see gatehouse status", "the lock of door %s can't be driven: %s", d.cfg.ID, msg)
	}
	return control.Released{Door: d.cfg.ID, State: string(state)}, nil
}

// postFireReset secures the doors again. Only the socket leads here, and only
// somebody on site has it.
func (g *Gateway) postFireReset(r *http.Request) (any, error) {
	if g.fire == nil {
		return nil, fail(http.StatusConflict, "", "this gateway has no fire input")
	}
	if err := g.fire.reset(); errors.Is(err, errStillActive) {
		g.journal.Queue(wire.Header{Kind: wire.KindFireReset, Outcome: wire.OutcomeRefused, Source: door.InputFire}, wire.Who{})
		return nil, fail(http.StatusConflict, "reset the fire panel first; if the input can't be read, mend its line", "%v", err)
	} else if err != nil {
		return nil, fmt.Errorf("the latch can't be written, so the doors stay released: %w", err)
	}
	for _, d := range g.doors {
		if _, err := d.ResetFire(r.Context()); err != nil {
			return nil, fmt.Errorf("reset door %s: %w", d.cfg.ID, err)
		}
	}
	if f, _ := g.fire.now(); f.Latched { // it began again while the doors were told
		for _, d := range g.doors {
			d.send(device.Event{Kind: device.InputChanged, Source: door.InputFire, Active: true})
			d.send(device.Event{Kind: device.InputChanged, Source: door.InputFire, Active: f.Active})
		}
	}
	return *g.fireStatus(), nil
}

func (g *Gateway) postClockConfirm(*http.Request) (any, error) {
	g.pollClock()
	h, err := g.clock.confirm()
	if err != nil {
		return nil, fail(http.StatusConflict, "set the clock of the gateway first", "%v", err)
	}
	g.journal.Queue(h, wire.Who{})
	return g.clockStatus(), nil
}

// streamLog writes one JSON object an entry: headers, and nothing of who.
func (g *Gateway) streamLog(w http.ResponseWriter, r *http.Request) {
	last, err := strconv.Atoi(r.URL.Query().Get("last"))
	if err != nil {
		writeError(w, fail(http.StatusBadRequest, "", "last: want a number of entries"))
		return
	}
	follow := r.URL.Query().Get("follow") == "true"
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc, flush := json.NewEncoder(w), http.NewResponseController(w)
	at := g.logStart(last)
	for {
		changed := g.journal.Changed()
		entries, next, err := g.journal.Entries(r.Context(), at, logBatch)
		for _, e := range entries {
			out, bad := logEntry(e)
			if bad != nil || enc.Encode(out) != nil {
				panic(http.ErrAbortHandler) // half a log must not look like a whole one
			}
		}
		at = next
		if err != nil && r.Context().Err() == nil {
			g.o.Log.Error().Err(err).Msg("log can't be read")
			panic(http.ErrAbortHandler)
		}
		if err != nil || (len(entries) == 0 && !follow) {
			return
		}
		if len(entries) > 0 {
			continue
		}
		_ = flush.Flush()
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
	}
}

// logBatch is how many entries are read at a time.
const logBatch = 500

// logStart is the place of the newest entries, so many of this epoch; negative:
// all that are kept.
func (g *Gateway) logStart(last int) journal.Position {
	at := g.journal.Status().Position
	if last < 0 {
		return journal.Position{}
	}
	at.Sequence -= min(at.Sequence, uint64(last))
	return at
}

func logEntry(e journal.Entry) (control.LogEntry, error) {
	h, err := wire.DecodeHeader(e.Header)
	if err != nil {
		return control.LogEntry{}, err
	}
	out := control.LogEntry{Epoch: fmt.Sprintf("%016x", e.Epoch), Sequence: e.Sequence, Boot: h.Boot, Counter: h.Counter,
		BootTime: h.BootTime, Time: h.Time(), Clock: h.Clock.String(), Kind: h.Kind.String(), Outcome: h.Outcome.String(),
		Reason: h.Reason.String(), Door: h.Door, Source: h.Source, Direction: h.Direction.String(), Count: h.Count}
	if h.Ref != nil {
		out.Ref = &control.Ref{Boot: h.Ref.Boot, Counter: h.Ref.Counter}
	}
	if len(h.Detail) > 0 {
		out.Detail = fmt.Sprintf("%x", h.Detail)
	}
	return out, nil
}
