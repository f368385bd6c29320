package front

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
)

const (
	socketMode    = 0o660
	maxSocketBody = 96 << 20        // a list of 1,024 buckets in base64
	socketGrace   = 2 * time.Second // for requests at work at the end
)

// connLog is for what an HTTP server says of single connections: handshakes that
// fail, and panics.
func connLog(to *zerolog.Logger) *log.Logger { return log.New(connLines{to}, "", 0) }

type connLines struct{ to *zerolog.Logger }

// Write logs one line.
func (l connLines) Write(line []byte) (int, error) {
	l.to.Warn().Str("http", strings.TrimSpace(string(line))).Msg("a connection of HTTP failed")
	return len(line), nil
}

// socketServer serves the issuer and the operator's commands.
func (f *Front) socketServer() *socket.Server {
	s := socket.NewServer(socket.Options{Path: f.o.Config.Socket, Name: "front", Network: f.o.Network, Mode: socketMode, Grace: socketGrace,
		MostBody: maxSocketBody, Lenient: true, ReadTimeout: 2 * f.o.WorkWait, Explain: refusalOf, Log: f.o.Log, ErrorLog: connLog(&f.o.Log)})
	socket.Handle(s, "GET /v1/work", f.getWork)
	socket.Handle(s, "POST /v1/answers", post(func(_ context.Context, a api.Answer) (any, error) { return struct{}{}, f.inbox.answer(a) }))
	socket.Handle(s, "GET /v1/heads", f.getHeads)
	socket.Handle(s, "GET /v1/stored", f.getStored)
	socket.Handle(s, "POST /v1/holdings/taken", post(f.taken))
	socket.Handle(s, "POST /v1/lists", post(func(ctx context.Context, l api.List) (any, error) { return f.putList(ctx, l) }))
	socket.Handle(s, "POST /v1/houses", post(func(ctx context.Context, d api.Document) (any, error) { return f.putHouse(ctx, d) }))
	socket.Handle(s, "POST /v1/trust", post(func(ctx context.Context, d api.Document) (any, error) { return f.putTrust(ctx, d.Envelope) }))
	socket.Handle(s, "POST /v1/undos", post(f.putUndo))
	socket.Handle(s, "POST /v1/backups", post(f.kept))
	socket.Stream(s, "GET /v1/backup", f.getBackup)
	socket.Handle(s, "POST /v1/remarks/done", post(f.putAway))
	socket.Handle(s, "GET /v1/trusts", f.getTrusts)
	socket.Handle(s, "GET /v1/person", f.getPerson)
	socket.Handle(s, "GET /v1/gateways", f.getGateways)
	socket.Handle(s, "GET /v1/clock", func(*http.Request, socket.None) (any, error) { return f.clock.Report(), nil })
	socket.Handle(s, "POST /v1/clock", func(*http.Request, socket.None) (any, error) { return f.clock.Confirm() })
	socket.Stream(s, "GET /v1/entries", f.getEntries)
	socket.Handle(s, "GET /v1/alarms", f.getAlarms)
	socket.Handle(s, "GET /v1/vkeys", f.getVKeys)
	socket.Handle(s, "GET /v1/status", f.getStatus)
	return s
}

// post answers a message by what do makes of it.
func post[T any](do func(context.Context, T) (any, error)) func(*http.Request, T) (any, error) {
	return func(r *http.Request, in T) (any, error) { return do(r.Context(), in) }
}

func (f *Front) getWork(r *http.Request, _ socket.None) (any, error) {
	after, err1 := strconv.ParseUint(r.URL.Query().Get("after"), 10, 63)
	wait, err2 := strconv.ParseFloat(r.URL.Query().Get("wait"), 64)
	if err1 != nil || err2 != nil || !(wait >= 0 && wait <= 3600) {
		return nil, socket.Refused(http.StatusBadRequest, "", "want after=NUMBER and wait=SECONDS")
	}
	work, err := f.workAfter(r.Context(), after, time.Duration(wait*float64(time.Second)))
	if err != nil {
		return nil, err
	}
	return work, nil
}

func (f *Front) getPerson(r *http.Request, _ socket.None) (any, error) {
	hash, err := hex.DecodeString(r.URL.Query().Get("hash"))
	if err != nil {
		return nil, socket.Refused(http.StatusBadRequest, "", "want hash=HEX")
	}
	sealed, err := f.store.Person(r.Context(), hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, socket.Refused(http.StatusNotFound, "", "no person of this hash is stored")
	} else if err != nil {
		return nil, err
	}
	return sealed, nil
}

// refusalOf makes a refusal of an error of what was asked for.
func refusalOf(err error) *socket.Error {
	out := &socket.Error{Status: http.StatusUnprocessableEntity, Message: err.Error()}
	switch {
	case errors.Is(err, errGone), errors.Is(err, errNoCopy):
		out.Status = http.StatusNotFound
	case errors.Is(err, errStale):
		out.Status, out.Hint = http.StatusConflict, "the issuer's database may be older than the front's: restore the newer one"
	case errors.Is(err, errLacks), errors.Is(err, store.ErrGap):
		out.Status, out.Hint = http.StatusConflict, "hand in all buckets"
	}
	return out
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

// lines writes one JSON object a line.
type lines struct {
	e *json.Encoder
}

func newLines(w http.ResponseWriter) lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return lines{json.NewEncoder(w)}
}
