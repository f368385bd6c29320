package issuer

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/intake"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/sync/wire"
)

// childEnv makes the test binary an issuer: directory and the front's socket.
const childEnv = "GATEHOUSE_TEST_ISSUER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		i, err := Open(Options{Dir: dir, Front: api.NewClient(os.Getenv(childEnv + "_FRONT")), Log: zerolog.New(os.Stderr)})
		if err == nil {
			err = i.Run(context.Background())
		}
		panic(err) // it is killed before
	}
	os.Exit(m.Run())
}

// handler serves the fake as the front's socket.
func (f *fakeFront) handler() http.Handler {
	m := http.NewServeMux()
	reply := func(w http.ResponseWriter, v any, err error) {
		var refused *api.Error
		if errors.As(err, &refused) {
			w.WriteHeader(refused.Status)
			v = refused
		}
		_ = json.NewEncoder(w).Encode(v)
	}
	m.HandleFunc("GET /v1/work", func(w http.ResponseWriter, r *http.Request) {
		after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
		v, err := f.Work(r.Context(), after, time.Second)
		reply(w, v, err)
	})
	m.HandleFunc("POST /v1/lists", func(w http.ResponseWriter, r *http.Request) {
		var l api.List
		_ = json.NewDecoder(r.Body).Decode(&l)
		v, err := f.PutList(r.Context(), l)
		reply(w, v, err)
	})
	m.HandleFunc("POST /v1/houses", func(w http.ResponseWriter, r *http.Request) {
		var d api.Document
		_ = json.NewDecoder(r.Body).Decode(&d)
		v, err := f.PutHouse(r.Context(), d)
		reply(w, v, err)
	})
	m.HandleFunc("GET /v1/trusts", func(w http.ResponseWriter, r *http.Request) { reply(w, [][]byte{}, nil) })
	m.HandleFunc("POST /v1/trust", func(w http.ResponseWriter, r *http.Request) { reply(w, api.Pushed{}, nil) })
	m.HandleFunc("GET /v1/gateways", func(w http.ResponseWriter, r *http.Request) {
		v, err := f.Gateways(r.Context(), "")
		reply(w, v, err)
	})
	m.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		v, err := f.Status(r.Context())
		reply(w, v, err)
	})
	m.HandleFunc("GET /v1/person", func(w http.ResponseWriter, r *http.Request) { reply(w, []byte("sealed"), nil) })
	return m
}

// listen serves the fake on a unix socket until the test ends.
func (f *fakeFront) listen(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "front")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, api.FileSocket)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f.handler()}
	var work sync.WaitGroup
	work.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Close(); work.Wait(); os.RemoveAll(dir) })
	return path
}

// version is that of the newest list that the front has.
func (w *world) version() uint64 {
	m, _ := w.listed()
	return m.Version
}

// TestKilled kills the issuer again and again while records come in. In the end
// every one counts once, and the front never saw two lists of one version (it
// would have refused the second, for ever).
func TestKilled(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	if err := w.i.Close(); err != nil {
		t.Fatal(err)
	}
	socket := w.front.listen(t)
	const records = 120
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	sent := 0
	for round := range rounds {
		before := w.version()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+w.directory(authority.DirIssuer), childEnv+"_FRONT="+socket)
		if err := cmd.Start(); errors.Is(err, syscall.ENOEXEC) && !strings.Contains(os.Getenv("GATEHOUSE_REQUIRE"), "exec") {
			t.Skipf("SKIP (needs exec): the emulator can't start a process of its own kind: %v", err)
		} else if err != nil {
			t.Fatal(err)
		}
		for ; sent < records*(round+1)/rounds; sent++ {
			c := checkIn(sent/2, 0)
			if sent%2 == 1 {
				c = other(wire.OpSuspend, sent/2, 1)
			}
			w.front.deliver(g.record(id('r', sent), c))
			time.Sleep(time.Millisecond)
		}
		if round%2 == 0 { // on a busy machine a child may need long to begin
			for end := time.Now().Add(waitLimit); w.version() <= before && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if m, _ := w.listed(); m.Version == 0 {
		t.Fatal("no child lived to make a list")
	}
	w.open()
	w.turn()
	m, grants := w.listed()
	if len(m.Seen) != 1 || m.Seen[0].Number != records || len(grants) != records/2 {
		t.Fatalf("seen %v, %d grants", m.Seen, len(grants))
	}
	for n := range records / 2 {
		w.want(n, wire.GrantSuspended)
	}
	var changes int
	if err := w.view().QueryRow(`SELECT count(*) FROM changes`).Scan(&changes); err != nil || changes != records {
		t.Fatal(changes, err)
	}
}

// TestSecondIssuer: another process that starts in the directory of an issuer is refused
// before it touches anything there. SQLite's own locks had not held it off, and the
// second one spoiled the database of the first.
func TestSecondIssuer(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	socket := w.front.listen(t)
	before := w.files()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+w.directory(authority.DirIssuer), childEnv+"_FRONT="+socket)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.ENOEXEC) && !strings.Contains(os.Getenv("GATEHOUSE_REQUIRE"), "exec") {
		t.Skipf("SKIP (needs exec): the emulator can't start a process of its own kind: %v", err)
	}
	if err == nil || !strings.Contains(string(out), "another issuer runs there") {
		t.Fatalf("a second issuer: %v, %s", err, out)
	}
	if after := w.files(); !maps.Equal(before, after) {
		t.Errorf("the second issuer changed the directory: %v, then %v", before, after)
	}
	w.front.deliver(g.record(id('r', 2), other(wire.OpSuspend, 1, 1)))
	w.turn()
	w.reopen()
	var sound string
	if err := w.view().QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
		t.Fatal(sound, err)
	}
	w.want(1, wire.GrantSuspended)
}

// files are those of the issuer's directory with what is in them.
func (w *world) files() map[string]wire.Hash {
	w.t.Helper()
	all := make(map[string]wire.Hash)
	entries, err := os.ReadDir(w.directory(authority.DirIssuer))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(w.directory(authority.DirIssuer), e.Name()))
		if err != nil {
			w.t.Fatal(err)
		}
		all[e.Name()] = sha256.Sum256(b)
	}
	return all
}

// TestFailedTransaction leaves nothing in memory that is not on disk.
func TestFailedTransaction(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	err := w.update(func(c *ledger.Change) error {
		intake.Deliver(c, g.record(id('r', 2), other(wire.OpEnd, 1, 1)))
		return c.Rollback() // so that nothing can be stored of the list that follows
	})
	if !errors.Is(err, sql.ErrTxDone) {
		t.Fatal(err)
	}
	w.turn()
	w.want(1, wire.GrantActive)
	if all, err := report.Tenancies(w.i.ledger, ""); err != nil || all[0].State != fold.StateActive {
		t.Fatal(all, err)
	}
	g.number--
	w.front.deliver(g.record(id('r', 2), other(wire.OpEnd, 1, 1)))
	w.turn()
	w.want(1, wire.GrantRevoked)
}
