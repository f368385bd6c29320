package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// TestClockUndo: a gateway that was signed a time that has not come is named with the
// command, and the command, followed, takes it back there, once.
func TestClockUndo(t *testing.T) {
	w := newTown(t)
	offline := filepath.Join(w.dir, "offline")
	wrong := time.Now().Add(200 * 24 * time.Hour)
	w.gate.ring.Time.RaiseFloor(wrong.Unix(), w.gate.reg.Trust.Keyset(wire.RoleWitness)[0].Epoch)
	w.down("front")
	w.up("front")
	w.says("which has not come")
	hint := regexp.MustCompile(`registryd (clock undo .*)second.key`).FindStringSubmatch(w.ok("status"))
	if hint == nil {
		t.Fatal(w.ok("status"))
	}
	args := strings.Fields(hint[1])
	w.refused("does not name this key", append(args, filepath.Join(offline, "root.key"))...)
	w.refused("no time is known", "clock", "undo", "house-1", "gw-9", "--key", filepath.Join(offline, "second.key"))
	if w.gate.ring.Time.Floor() != wrong.Unix() {
		t.Fatal("it went before two have signed")
	}
	if out := w.ok(append(args, filepath.Join(offline, "second.key"))...); !strings.Contains(out, "is taken back: the gateway was told") {
		t.Error(out)
	}
	w.until("the gateway has taken it back", func() bool {
		return w.gate.ring.Time.Floor() < time.Now().Add(time.Hour).Unix() && w.gate.ring.Time.HighestSigned().Undos == 1
	})
	w.until("status says so", func() bool { return !strings.Contains(w.ok("status"), "which has not come") })
	w.until("a right time is not taken back", func() bool {
		_, _, errOut := w.call(append(args, filepath.Join(offline, "second.key"))...)
		return strings.Contains(errOut, "it is no wrong time")
	})
	if out := w.ok("audit"); !strings.Contains(out, "clock undo") {
		t.Error(out)
	}
}
