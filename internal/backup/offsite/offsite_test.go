package offsite

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/backup/keeper"
	"gatehouse/internal/enrol"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// gateway is one with a recovery code, and a registry that a test plays.
type gateway struct {
	t       *testing.T
	dir     string
	backups *keeper.Keeper
	key     ed25519.PrivateKey
	log     bytes.Buffer

	mu    sync.Mutex // guards the rest
	clear bool
	fails error
	asked int
	sent  []snapshot.Snapshot
}

// set changes how the registry and the way to it are.
func (g *gateway) set(clear bool, fails error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clear, g.fails = clear, fails
}

// heard is what the registry got.
func (g *gateway) heard() (asked int, sent []snapshot.Snapshot) {
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked, g.sent
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{t: t, dir: t.TempDir(), clear: true}
	s, err := site.Parse([]byte("building = \"lane-7\"\ngateway = \"gw1\"\nstate = \"" + g.dir + "\"\n[[door]]\nid = \"front\"\negress = \"mechanical\"\nlock = \"fail-secure\"\nrelay = {chip = \"sim0\", line = 2, pull = \"down\"}\n"))
	must(t, err)
	public, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	g.key = key
	building, err := keys.GenerateBuildingKey(1)
	must(t, err)
	_, err = keys.Install(s.Path("keys"), public, building)
	must(t, err)
	loaded, err := keys.LoadKeys(s.Path("keys"))
	must(t, err)
	ring, err := keyring.Open(keyring.Options{Dir: s.Path("grants"), Building: "lane-7", Keys: loaded, Log: zerolog.Nop()})
	must(t, err)
	t.Cleanup(func() { must(t, ring.Close()) })
	g.backups = keeper.New(keeper.Options{Site: s, Keyring: ring, Now: time.Now, Log: zerolog.Nop()})
	return g
}

func (g *gateway) sender() *Sender {
	return New(Options{Backups: g.backups, File: filepath.Join(g.dir, "registry.json"), Address: "lane-7/gw1", Key: g.key, Clear: g.isClear, Chance: func(limit time.Duration) time.Duration { return limit / 2 },
		Now: time.Now, Log: zerolog.New(&g.log), Send: func(_ context.Context, envelope, data []byte) (bool, error) {
			n, err := snapshot.Open(envelope, "lane-7/gw1", wire.Key{Role: wire.RoleGateway, Public: g.key.Public().(ed25519.PublicKey)})
			must(g.t, err)
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.asked++; len(data) > 0 && g.fails == nil {
				g.sent = append(g.sent, n)
			}
			if len(data) > 0 && !n.Is(data) {
				g.t.Error("the backup is not what is said of it")
			}
			return g.fails == nil, g.fails
		}})
}

func (g *gateway) isClear() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.clear
}

// TestOldRegistry: a registry that knows of no snapshots is asked once a day, and that is
// said once; nothing is owed to it.
func TestOldRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.set(true, enrol.ErrNoSnapshots)
		ctx, cancel := context.WithCancel(t.Context())
		s := g.sender()
		go s.Run(ctx)
		time.Sleep(48 * time.Hour)
		if asked, _ := g.heard(); asked != 0 {
			t.Errorf("asked %d times without a backup", asked)
		}
		go g.backups.Run(ctx)
		_, err := g.backups.NewCode(false)
		must(t, err)
		time.Sleep(80 * time.Hour)
		asked, _ := g.heard()
		if n := strings.Count(g.log.String(), "does not keep"); asked != 4 || n != 1 || !s.Status().Old || !s.Status().Made.IsZero() {
			t.Errorf("asked %d times, said %d times, %+v", asked, n, s.Status())
		}
		cancel()
		synctest.Wait()
	})
}

// TestSends: soon after a code was made, not while entries wait, and again an hour after it
// went wrong; after a restart what is there is known. A new code has a new backup sent.
func TestSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		ctx, cancel := context.WithCancel(t.Context())
		s := g.sender()
		go s.Run(ctx)
		go g.backups.Run(ctx)
		g.set(false, nil)
		_, err := g.backups.NewCode(false)
		must(t, err)
		time.Sleep(5 * time.Hour)
		if asked, _ := g.heard(); asked != 0 {
			t.Error("sent while entries wait")
		}
		g.set(true, errors.New("the line is down"))
		time.Sleep(40 * time.Minute)
		if s.Status().Problem == "" || s.Status().Old {
			t.Errorf("%+v", s.Status())
		}
		g.set(true, nil)
		time.Sleep(2 * time.Hour)
		_, sent := g.heard()
		if st := s.Status(); len(sent) != 1 || st.Problem != "" || st.Kept.IsZero() || st.Made.Unix() != int64(sent[0].Made) {
			t.Errorf("%d sent, %+v", len(sent), st)
		}
		cancel()
		synctest.Wait()
		ctx, cancel = context.WithCancel(t.Context())
		s = g.sender()
		if s.Status().Kept.IsZero() {
			t.Error("forgotten at a restart")
		}
		go s.Run(ctx)
		go g.backups.Run(ctx)
		time.Sleep(3 * time.Hour)
		if _, sent = g.heard(); len(sent) != 1 {
			t.Error("sent again at a restart")
		}
		_, err = g.backups.NewCode(true)
		must(t, err)
		if !s.Status().Kept.IsZero() {
			t.Error("what is there is of the code before, and counts")
		}
		time.Sleep(2 * time.Hour)
		if _, sent = g.heard(); len(sent) != 2 || sent[1].Sum == sent[0].Sum || s.Status().Kept.IsZero() {
			t.Errorf("a new code: %d sent, %+v", len(sent), s.Status())
		}
		cancel()
		synctest.Wait()
		must(t, os.WriteFile(filepath.Join(g.dir, "registry.json"), []byte("{"), 0o600))
		if st := g.sender().Status(); !st.Made.IsZero() {
			t.Errorf("of a file that can't be read: %+v", st)
		}
	})
}
