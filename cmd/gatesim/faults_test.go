package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/cmd/gatesim/internal/rival"
	"gatehouse/internal/access"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire"
)

// need finds a program, or skips loudly.
func need(tb testing.TB, part string, programs ...string) string {
	tb.Helper()
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	lacks(tb, part, "no "+programs[0]+" here")
	return ""
}

// lacks skips loudly, or fails where the part has to be there.
func lacks(tb testing.TB, part, why string) {
	tb.Helper()
	message := fmt.Sprintf("SKIP (needs %s): %s", part, why)
	for require := range strings.SplitSeq(os.Getenv("GATEHOUSE_REQUIRE"), ",") {
		if require == part {
			tb.Fatal(message)
		}
	}
	tb.Skip(message)
}

// mosquitto runs Debian's broker as packaging/mosquitto sets it up.
func (t *town) mosquitto(tb testing.TB, program string) {
	tb.Helper()
	front := filepath.Join(t.dir, authority.DirFront)
	_, port, err := net.SplitHostPort(t.broker)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	for file, change := range map[string][]string{
		"gatehouse.conf": {"/etc/mosquitto/gatehouse.acl", filepath.Join(dir, "gatehouse.acl"), "listener 8883", "listener " + port + " 127.0.0.1",
			"/etc/mosquitto/certs/ca.pem", filepath.Join(front, api.FileCA), "/etc/mosquitto/certs/server.crt", filepath.Join(front, api.FileServerCert),
			"/etc/mosquitto/certs/server.key", filepath.Join(front, api.FileServerKey)},
		"gatehouse.acl": {"REGISTRY-HOST", "127.0.0.1"},
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", "packaging", "mosquitto", file))
		if err != nil {
			tb.Fatal(err)
		}
		out := strings.NewReplacer(change...).Replace(string(text))
		if file == "gatehouse.conf" && os.Getuid() == 0 {
			out = "user root\n" + out
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(out), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-c", filepath.Join(dir, "gatehouse.conf"))
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(tb, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", t.broker)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

// stored is what the registry holds of a gateway, by epoch and sequence number;
// doubles are an error.
func (t *town) stored(tb testing.TB, building, gateway string) map[string]api.Entry {
	tb.Helper()
	all := map[string]api.Entry{}
	_, err := t.front.Entries(tb.Context(), api.EntryFilter{Building: building, Gateway: gateway, Limit: 1_000_000}, func(e api.Entry) error {
		k := fmt.Sprint(e.Epoch, "/", e.Sequence)
		if _, twice := all[k]; twice {
			tb.Errorf("entry %s is stored twice", k)
		}
		all[k] = e
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// inStep waits until the registry has the box's whole journal.
func (t *town) inStep(tb testing.TB, b *box, building, gateway string) {
	tb.Helper()
	eventually(tb, "the registry has the whole journal", func() bool {
		all, err := t.front.Gateways(tb.Context(), building)
		if err != nil {
			return false
		}
		s := b.journal.Status()
		for _, g := range all {
			if g.Gateway == gateway {
				return s.Queued == 0 && s.Epoch != 0 && g.Epoch == fmt.Sprintf("%016x", s.Epoch) && g.Stored == s.Sequence
			}
		}
		return false
	})
}

// opens says whether a card opens at a box.
func (b *box) opens(tb testing.TB, card wire.CredentialID) bool {
	tb.Helper()
	q := access.Query{Credential: card, Door: "front", Time: access.At(time.Now().Unix())}
	return access.Decide(b.keyring.Grants(), &q).Reason == wire.ReasonGranted
}

// TestThroughMosquitto: two gateways of a building and a registry, with Debian's
// Mosquitto in the middle: entries, lists, the building's key for the second
// gateway; and with the registry away a check-in at one opens at the other.
func TestThroughMosquitto(t *testing.T) {
	program := need(t, "mosquitto", rival.MosquittoPrograms...)
	town := newTown(t, true)
	town.mosquitto(t, program)
	stop := town.start(t)
	one := town.enrol(t, "house", "gw1")
	one.connect(t, one.link(t, town.broker, 0), 0)
	two := town.enrol(t, "house", "gw2")
	two.connect(t, two.link(t, town.broker, 0), 0)
	eventually(t, "the second gateway has the building's key from the first", func() bool { return two.keyring.Status().HasKey })
	card, _ := one.checkIn(t, 1)
	id, err := one.keyring.Identify(card)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the card opens at both", func() bool { return one.opens(t, id) && two.opens(t, id) })
	eventually(t, "the list is active at both", func() bool {
		return len(one.keyring.Records.All()) == 0 && len(two.keyring.Records.All()) == 0 && two.keyring.Status().Version > 0
	})
	town.inStep(t, one, "house", "gw1")
	town.inStep(t, two, "house", "gw2")
	stop()
	late, _ := two.checkIn(t, 2)
	if id, err = two.keyring.Identify(late); err != nil {
		t.Fatal(err)
	}
	eventually(t, "with the registry away a check-in at one opens at the other", func() bool { return one.opens(t, id) })
	town.start(t)
	eventually(t, "the registry's list names the late one", func() bool {
		return len(one.keyring.Records.All()) == 0 && len(two.keyring.Records.All()) == 0
	})
	town.inStep(t, two, "house", "gw2")
	if n, want := len(town.stored(t, "house", "gw2")), int(two.journal.Status().Sequence); n != want {
		t.Errorf("the registry has %d of %d entries", n, want)
	}
}

// TestRegistryRestarted: front and issuer go away again and again while a backlog
// is on its way. In the end every entry is stored, and none twice.
func TestRegistryRestarted(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: drains a backlog")
	}
	const entries = 20_000
	town := newTown(t, false)
	stop := town.start(t)
	b := town.enrol(t, "restarted", "gw1")
	b.record(t, entries)
	b.connect(t, b.link(t, town.broker, 0), 0)
	for range 5 {
		time.Sleep(100 * time.Millisecond)
		stop()
		stop = town.start(t)
	}
	town.inStep(t, b, "restarted", "gw1")
	if n, want := len(town.stored(t, "restarted", "gw1")), int(b.journal.Status().Sequence); n != want || n < entries {
		t.Errorf("the registry has %d of %d entries", n, want)
	}
}
