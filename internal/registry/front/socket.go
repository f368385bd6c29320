package front

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/network"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
)

const (
	socketMode    = 0o660
	maxSocketBody = 96 << 20 // a list of 1,024 buckets in base64
)

// listenUnix opens a socket; one that a dead process left is replaced, one that
// somebody listens on is not.
func listenUnix(ctx context.Context, n network.Network, path string) (net.Listener, error) {
	look, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if c, err := n.Dial(look, "unix", path); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("listen on %s: another front runs there", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := n.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	return l, nil
}

// serveHTTP serves until ctx ends; requests end with it. To the server's own
// limits it adds those that all of ours have.
func serveHTTP(ctx context.Context, l net.Listener, server *http.Server) error {
	server.ReadHeaderTimeout, server.IdleTimeout, server.MaxHeaderBytes = headerTime, time.Minute, 16<<10
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// headerTime is how long the TLS handshake, and then the header of a request,
// may take.
const headerTime = 10 * time.Second

// connLog is for what an HTTP server says of single connections: handshakes that
// fail, and panics.
func connLog(to *zerolog.Logger) *log.Logger { return log.New(connLines{to}, "", 0) }

type connLines struct{ to *zerolog.Logger }

// Write logs one line.
func (l connLines) Write(line []byte) (int, error) {
	l.to.Warn().Str("http", strings.TrimSpace(string(line))).Msg("a connection of HTTP failed")
	return len(line), nil
}

// handler serves the issuer and the operator's commands.
func (f *Front) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/work", f.getWork)
	mux.HandleFunc("POST /v1/answers", post(func(_ context.Context, a api.Answer) (any, error) { return struct{}{}, f.inbox.answer(a) }))
	mux.HandleFunc("GET /v1/heads", f.getHeads)
	mux.HandleFunc("GET /v1/stored", f.getStored)
	mux.HandleFunc("POST /v1/holdings/taken", post(f.taken))
	mux.HandleFunc("POST /v1/lists", post(func(ctx context.Context, l api.List) (any, error) { return f.putList(ctx, l) }))
	mux.HandleFunc("POST /v1/houses", post(func(ctx context.Context, d api.Document) (any, error) { return f.putHouse(ctx, d) }))
	mux.HandleFunc("POST /v1/trust", post(func(ctx context.Context, d api.Document) (any, error) { return f.putTrust(ctx, d.Envelope) }))
	mux.HandleFunc("POST /v1/undos", post(f.putUndo))
	mux.HandleFunc("POST /v1/backups", post(f.kept))
	mux.HandleFunc("GET /v1/backup", f.getBackup)
	mux.HandleFunc("POST /v1/remarks/done", post(f.putAway))
	mux.HandleFunc("GET /v1/trusts", f.getTrusts)
	mux.HandleFunc("GET /v1/person", f.getPerson)
	mux.HandleFunc("GET /v1/gateways", f.getGateways)
	mux.HandleFunc("GET /v1/clock", func(w http.ResponseWriter, _ *http.Request) { answer(w, f.clock.Report()) })
	mux.HandleFunc("POST /v1/clock", post(func(context.Context, struct{}) (any, error) { return f.clock.Confirm() }))
	mux.HandleFunc("GET /v1/entries", f.getEntries)
	mux.HandleFunc("GET /v1/alarms", f.getAlarms)
	mux.HandleFunc("GET /v1/vkeys", f.getVKeys)
	mux.HandleFunc("GET /v1/status", f.getStatus)
	return mux
}

// post reads a message, calls do and writes its result.
func post[T any](do func(context.Context, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in T
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSocketBody)).Decode(&in); err != nil {
			refuse(w, http.StatusBadRequest, "the request can't be read: "+err.Error(), "")
			return
		}
		out, err := do(r.Context(), in)
		if err != nil {
			complain(w, err)
			return
		}
		answer(w, out)
	}
}

func (f *Front) getWork(w http.ResponseWriter, r *http.Request) {
	after, err1 := strconv.ParseUint(r.URL.Query().Get("after"), 10, 63)
	wait, err2 := strconv.ParseFloat(r.URL.Query().Get("wait"), 64)
	if err1 != nil || err2 != nil || !(wait >= 0 && wait <= 3600) {
		refuse(w, http.StatusBadRequest, "want after=NUMBER and wait=SECONDS", "")
		return
	}
	work, err := f.workAfter(r.Context(), after, time.Duration(wait*float64(time.Second)))
	if err != nil {
		complain(w, err)
		return
	}
	answer(w, work)
}

func (f *Front) getPerson(w http.ResponseWriter, r *http.Request) {
	hash, err := hex.DecodeString(r.URL.Query().Get("hash"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "want hash=HEX", "")
		return
	}
	sealed, err := f.store.Person(r.Context(), hash)
	if errors.Is(err, store.ErrNotFound) {
		refuse(w, http.StatusNotFound, "no person of this hash is stored", "")
		return
	} else if err != nil {
		complain(w, err)
		return
	}
	answer(w, sealed)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked is gone
}

func refuse(w http.ResponseWriter, status int, message, hint string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Error{Message: message, Hint: hint})
}

// complain answers with an error of what was asked for.
func complain(w http.ResponseWriter, err error) {
	status, hint := http.StatusUnprocessableEntity, ""
	switch {
	case errors.Is(err, errGone), errors.Is(err, errNoCopy):
		status = http.StatusNotFound
	case errors.Is(err, errStale):
		status, hint = http.StatusConflict, "the issuer's database may be older than the front's: restore the newer one"
	case errors.Is(err, errLacks), errors.Is(err, store.ErrGap):
		status, hint = http.StatusConflict, "hand in all buckets"
	}
	refuse(w, status, err.Error(), hint)
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
