package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/control"
	"gatehouse/internal/network"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

// liar is a registry that gives what a test puts there as snapshots of lane-7/gw1, and
// enrols nobody.
type liar struct {
	*httptest.Server
	t      *testing.T
	secret [16]byte
	turns  [][]byte // nil: none
	old    bool     // its program knows of no snapshots
}

func newLiar(t *testing.T) *liar {
	l := &liar{t: t, secret: [16]byte{7}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/snapshot/fetch", l.fetch)
	l.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.old {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	l.Config.ErrorLog = log.New(io.Discard, "", 0)
	l.StartTLS()
	t.Cleanup(l.Close)
	return l
}

func (l *liar) fetch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Building, Gateway, Proof string
		Turn                     int
	}
	proof := snapshot.Proof(l.secret, "lane-7/gw1")
	hex, _ := proof.MarshalText()
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case err != nil || in.Building != "lane-7" || in.Gateway != "gw1" || in.Proof != string(hex):
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":"it is not the newest token","hint":"ask for a new one"}`)
	case in.Turn >= len(l.turns):
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"none is kept here","hint":"the stick"}`)
	default:
		_, _ = w.Write(l.turns[in.Turn])
	}
}

func (l *liar) token() string {
	text, err := wire.Token{Registry: "city", Place: [4]string{"north", "xin", "lane-7", "gw1"}, Enrol: l.Listener.Addr().String(), Broker: "127.0.0.1:8883",
		CA: sha256.Sum256(l.Certificate().Raw), Root: [32]byte{1}, Secret: l.secret}.Text()
	must(l.t, err)
	return text
}

// TestReplaceBySocket: a machine that waits to be set up takes a burned one's place by a token and
// the code. Whatever a registry sends that the code does not open is told, changes nothing, and leaves
// the stick; where only the newest is bad, the one before is taken and that is said. That the machine
// could not be enrolled keeps no door waiting.
func TestReplaceBySocket(t *testing.T) {
	g := newGateway(t)
	state := filepath.Join(filepath.Dir(g.file), "state")
	data, code := burned(t, state)
	foreign, _ := burned(t, state)
	changed := bytes.Clone(data)
	changed[len(changed)/2+len(changed)/4] ^= 1
	resealed := bytes.Replace(changed, []byte(sumOf(data)), []byte(sumOf(changed)), 1) // its sum fits again
	l := newLiar(t)
	ended, _ := g.run()
	backups := control.BackupsOf(control.NewClientOver(network.Network{}, g.o.Socket))
	in := control.RestoreRequest{Token: l.token(), Code: code.String()}
	other := in
	other.Code = recovery.New().String()
	stranger := in
	l.secret[0]++
	stranger.Token = l.token()
	l.secret[0]--
	for name, c := range map[string]struct {
		in     control.RestoreRequest
		turns  [][]byte
		old    bool
		status int
		says   string
	}{
		"no token":          {control.RestoreRequest{Token: "GH1-X", Code: code.String()}, nil, false, http.StatusUnprocessableEntity, "no token"},
		"another token":     {stranger, [][]byte{data}, false, http.StatusBadGateway, "not the newest token"},
		"another code":      {other, [][]byte{data, data}, false, http.StatusForbidden, "does not open"},
		"another gateway's": {in, [][]byte{foreign}, false, http.StatusForbidden, "does not open"},
		"nothing":           {in, nil, false, http.StatusNotFound, "has no snapshot"},
		"an old program":    {in, nil, true, http.StatusBadGateway, "its program is older"},
		"cut short":         {in, [][]byte{data[:len(data)-1]}, false, http.StatusBadRequest, "in part"},
		"empty":             {in, [][]byte{{}}, false, http.StatusBadRequest, "in part"},
		"changed":           {in, [][]byte{changed, changed}, false, http.StatusBadRequest, "damaged"},
		"changed, sum fits": {in, [][]byte{resealed}, false, http.StatusBadRequest, "damaged"},
		"something else":    {in, [][]byte{[]byte("hello")}, false, http.StatusBadRequest, "no backup"},
		"more than can be":  {in, [][]byte{make([]byte, snapshot.Most+1)}, false, http.StatusBadGateway, "too large"},
	} {
		l.turns, l.old = c.turns, c.old
		_, err := backups.Restore(t.Context(), c.in)
		if status, says := refused(err); status != c.status || !strings.Contains(says, c.says) {
			t.Errorf("%s: status %d, %v, want %d, %s", name, status, err, c.status, c.says)
		}
		if _, err := os.Stat(g.file); err == nil {
			t.Fatalf("%s: a site file was written", name)
		}
	}
	l.turns, l.old = [][]byte{changed, data}, false
	done, err := backups.Restore(t.Context(), in)
	if err != nil || done.Building != "lane-7" || done.Tenancies != 1 || !strings.Contains(done.Older, "damaged") || done.Enrolled || done.Later == "" {
		t.Errorf("%+v, %v", done, err)
	}
	if !<-ended {
		t.Error("there is no house to serve")
	}
	if _, err := site.Load(g.file); err != nil {
		t.Error(err)
	}
}

// sumOf is the sum that stands in the first part of a backup with this sealed part.
func sumOf(data []byte) string {
	_, rest, _ := bytes.Cut(data, []byte("\n"))
	_, sealed, _ := bytes.Cut(rest, []byte("\n"))
	sum := wire.Hash(sha256.Sum256(sealed))
	text, _ := sum.MarshalText()
	return string(text)
}
