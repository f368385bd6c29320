package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
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

func (srv *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range srv.routes() {
		mux.Handle(pattern, h)
	}
	return mux
}

// routes are all that the socket answers; docs/refusals.md says what is not among them.
func (srv *Server) routes() map[string]http.Handler {
	all := map[string]http.Handler{
		"GET /v1/log":                http.HandlerFunc(srv.streamLog),
		"POST /v1/doors/{door}/test": http.HandlerFunc(srv.streamTest),
	}
	answers := map[string]answer{
		"GET /v1/status":                srv.getStatus,
		"POST /v1/doors/{door}/release": srv.postRelease,
		"POST /v1/fire/reset":           srv.postFireReset,
		"POST /v1/clock/confirm":        srv.postClockConfirm,
		"POST /v1/clock/ask":            srv.postClockAsk,
		"POST /v1/clock/set":            srv.postClockSet,
		"GET /v1/keys":                  srv.getKeys,
		"GET /v1/grants":                srv.getGrants,
		"PUT /v1/grants":                srv.putGrants,
		"POST /v1/swipe":                srv.postSwipe,
		"POST /v1/printed":              srv.postPrinted,
		"GET /v1/adopt":                 srv.getAdopt,
		"POST /v1/adopt":                srv.postAdopt,
	}
	maps.Copy(answers, srv.deskRoutes())
	maps.Copy(answers, srv.readerRoutes())
	for pattern, f := range answers {
		all[pattern] = srv.respond(f)
	}
	return all
}

func (srv *Server) respond(f answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.requests.Add(1)
		defer srv.requests.Done()
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
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return v, fmt.Errorf("read request: %w", err)
	case !utf8.Valid(body): // a decoder would put a sign in place of what it can't read
		return v, fail(http.StatusBadRequest, "write it in UTF-8", "request not understood: it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fail(http.StatusBadRequest, "use the tool of the same version as the daemon", "request not understood: %v", err)
	}
	return v, nil
}

func (srv *Server) door(id string) (*gateway.Door, error) {
	var known []string
	for _, d := range srv.gw.Doors {
		if d.Config.ID == id {
			return d, nil
		}
		known = append(known, d.Config.ID)
	}
	return nil, fail(http.StatusNotFound, "doors of this gateway: "+strings.Join(known, ", "), "no door %q here", id)
}

func (srv *Server) postRelease(r *http.Request) (any, error) {
	d, err := srv.door(r.PathValue("door"))
	if err != nil {
		return nil, err
	}
	state, err := d.Release(r.Context())
	if err != nil {
		return nil, fmt.Errorf("release door %s: %w", d.Config.ID, err)
	}
	if msg := d.Status().LockErr; msg != "" {
		return nil, fail(http.StatusBadGateway, "see gatehouse status", "the lock of door %s can't be driven: %s", d.Config.ID, msg)
	}
	return control.Released{Door: d.Config.ID, State: string(state)}, nil
}

// postFireReset secures the doors again. Only the socket leads here, and only
// somebody on site has it.
func (srv *Server) postFireReset(r *http.Request) (any, error) {
	if srv.gw.Fire == nil {
		return nil, fail(http.StatusConflict, "", "this gateway has no fire input")
	}
	if err := srv.gw.ResetFire(r.Context()); errors.Is(err, gateway.ErrFireActive) {
		return nil, fail(http.StatusConflict, "reset the fire panel first; if the input can't be read, mend its line", "%v", err)
	} else if err != nil {
		return nil, err
	}
	return *srv.fireStatus(), nil
}

func (srv *Server) postClockConfirm(*http.Request) (any, error) {
	srv.gw.PollClock()
	h, err := srv.gw.Clock.Confirm()
	if err != nil {
		return nil, fail(http.StatusConflict, "set the clock of the gateway first", "%v", err)
	}
	srv.gw.Journal.Queue(h, wire.Who{})
	return srv.clockStatus(), nil
}

// streamLog writes what an owner may see of the log, one JSON object an entry.
func (srv *Server) streamLog(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	last, err := strconv.Atoi(q.Get("last"))
	if err != nil {
		writeError(w, fail(http.StatusBadRequest, "", "last: want a number of entries"))
		return
	}
	shows, err := srv.logFilter(q)
	if err != nil {
		writeError(w, err)
		return
	}
	at := journal.Position{}
	if last >= 0 {
		if at, err = srv.lastShown(r.Context(), last, shows); err != nil {
			writeError(w, err)
			return
		}
	}
	srv.stream(r.Context(), w, at, q.Get("follow") == "true", shows)
}

// logBatch is how many entries are read at a time.
const logBatch = 500

// lastShown is the place of the newest entries that are shown, so many of this
// epoch. Those that are not shown do not count, or their number would show.
func (srv *Server) lastShown(ctx context.Context, last int, shows func(wire.Header) bool) (journal.Position, error) {
	s := srv.gw.Journal.Status()
	end := s.Position
	at := end
	for left := last; left > 0 && at.Sequence > s.Oldest.Sequence; {
		from := at
		from.Sequence -= min(from.Sequence-s.Oldest.Sequence, logBatch)
		entries, _, err := srv.gw.Journal.Entries(ctx, from, int(at.Sequence-from.Sequence))
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
