package doorcode

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
)

// log counts the alarms of wrong codes.
type log struct {
	mu  sync.Mutex
	all []wire.Header
}

func (l *log) Queue(h wire.Header, _ wire.Who) wire.Ref {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, h)
	return wire.Ref{}
}

// house is a gateway's codes over grants that a test sets.
type house struct {
	*Store
	t      *testing.T
	parts  Parts
	epoch  uint64
	grants *access.Grants
	lost   map[wire.CredentialID]bool
	log    *log
}

var (
	home = wire.ID{8}
	card = wire.CredentialID{1, 1}
)

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, epoch: 7, lost: map[wire.CredentialID]bool{}, log: &log{}}
	_, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	h.parts = Parts{Dir: t.TempDir(), Key: key, Epoch: func() uint64 { return h.epoch }, Grants: func() *access.Grants { return h.grants },
		Lost: func(id wire.CredentialID) bool { return h.lost[id] }, Journal: h.log, Log: zerolog.Nop()}
	h.give(wire.GrantActive)
	h.start()
	return h
}

// start is the gateway after a restart, with hashes that take no time.
func (h *house) start(details ...wire.ID) {
	h.Store = New(h.parts)
	if h.file.Salt == nil {
		h.file.Salt, h.file.Rounds = []byte("salt"), 1
	}
	h.Recall(details)
}

func (h *house) give(state wire.GrantState) {
	h.t.Helper()
	bucket, err := access.NewBucket(0, []wire.Grant{{Credential: card, ID: wire.ID{7}, Tenancy: home, Kind: wire.GrantResident, State: state}})
	must(h.t, err)
	h.grants, err = access.NewGrants(access.Doors{IDs: []string{"front"}, Sets: [][]uint16{{0}}}, 0, []*access.Bucket{bucket})
	must(h.t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) codes() []string {
	h.t.Helper()
	all, err := h.Make(home)
	must(h.t, err)
	return all
}

func (h *house) open(at, digits string) door.Admission {
	p, ok := device.NewPIN(digits)
	if !ok {
		h.t.Fatalf("%q can't be typed", digits)
	}
	return h.Open(at, "in", p, access.At(1000))
}

func (h *house) wants(at, digits string, want wire.Reason) {
	h.t.Helper()
	if a := h.open(at, digits); a.Reason != want {
		h.t.Errorf("a code at %s: %v, want %v", at, a.Reason, want)
	}
}

// TestOnce: each of the five opens once, with the tenancy in its entry, and never again
// after any restart; the disk has no code.
func TestOnce(t *testing.T) {
	h := newHouse(t)
	all := h.codes()
	if len(all) != Each || slices.ContainsFunc(all, func(c string) bool { return len(c) != Digits || c[0] == '0' }) {
		t.Fatalf("%d codes", len(all))
	}
	for _, c := range all {
		a := h.open("front", c)
		if a.Reason != wire.ReasonGranted || *a.Who.Tenancy != home || *a.Who.Grant != (wire.ID{7}) || a.Who.Method != wire.MethodCode || len(a.Detail) != 16 {
			t.Fatalf("%+v", a)
		}
		h.wants("front", c, wire.ReasonReplayed)
		h.start()
		h.wants("front", c, wire.ReasonReplayed)
	}
	data, err := os.ReadFile(filepath.Join(h.parts.Dir, File))
	must(t, err)
	for _, c := range all {
		if strings.Contains(string(data), c) {
			t.Error("the file has a code")
		}
	}
}

// TestOnceAtOnce: one code at many doors at the same time opens one of them.
func TestOnceAtOnce(t *testing.T) {
	h := newHouse(t)
	c := h.codes()[0]
	p, _ := device.NewPIN(c)
	var all sync.WaitGroup
	got := make(chan wire.Reason, 16)
	for i := range cap(got) {
		all.Go(func() { got <- h.Open("front", string(rune('a'+i)), p, access.At(1000)).Reason })
	}
	all.Wait()
	close(got)
	granted := 0
	for r := range got {
		if r == wire.ReasonGranted {
			granted++
		} else if r != wire.ReasonReplayed {
			t.Errorf("%v", r)
		}
	}
	if granted != 1 {
		t.Errorf("it opened %d times", granted)
	}
}

// TestSickDisk: a code whose use the disk does not take opens nothing, then or later.
func TestSickDisk(t *testing.T) {
	h := newHouse(t)
	c := h.codes()[0]
	full := filepath.Join(h.parts.Dir, File+".new") // the file that is written first
	must(t, os.MkdirAll(filepath.Join(full, "x"), 0o700))
	h.wants("front", c, wire.ReasonNotReady)
	must(t, os.RemoveAll(full))
	h.wants("front", c, wire.ReasonReplayed)
	if _, err := h.Make(home); err != nil {
		t.Error(err)
	}
}

// TestVoid: what ends codes: new ones, another gateway's key, another epoch of the log, and
// an older copy of the file beside a log that knows better.
func TestVoid(t *testing.T) {
	h := newHouse(t)
	old := h.codes()
	all := h.codes()
	h.wants("front", old[0], wire.ReasonBadCode)
	before, err := os.ReadFile(filepath.Join(h.parts.Dir, File))
	must(t, err)
	used := h.open("front", all[0])
	must(t, os.WriteFile(filepath.Join(h.parts.Dir, File), before, 0o600))
	h.start(wire.ID(used.Detail))
	h.wants("front", all[0], wire.ReasonReplayed)
	if n := h.Void(); n != 0 {
		t.Errorf("void are the codes of %d tenancies", n)
	}
	h.epoch++
	h.wants("front", all[1], wire.ReasonBadCode)
	if n := h.Void(); n != 1 {
		t.Errorf("another epoch: void are the codes of %d tenancies", n)
	}
	h.epoch--
	key := h.parts.Key
	_, h.parts.Key, err = ed25519.GenerateKey(nil)
	must(t, err)
	h.start()
	h.wants("front", all[1], wire.ReasonBadCode)
	h.parts.Key = key
	h.start()
	h.wants("front", all[1], wire.ReasonGranted)
	h.Keep(func(id wire.ID) bool { return id == home }, 0)
	h.wants("front", all[2], wire.ReasonBadCode)
}

// TestStanding: who has lost the card gets in; who lives here no more, or whose cards the
// registry has stopped, does not, and the code is not used up by that.
func TestStanding(t *testing.T) {
	h := newHouse(t)
	all := h.codes()
	h.give(wire.GrantSuspended)
	h.wants("front", all[0], wire.ReasonSuspended)
	h.lost[card] = true
	h.wants("front", all[0], wire.ReasonGranted)
	h.give(wire.GrantRevoked)
	h.wants("front", all[1], wire.ReasonRevoked)
	h.give(wire.GrantActive)
	h.wants("yard", all[1], wire.ReasonWrongDoor)
	h.wants("front", all[1], wire.ReasonGranted)
	h.grants = nil
	h.wants("front", all[2], wire.ReasonNotReady)
}

// TestBeforeTheLog: until the log was read nobody knows what was used.
func TestBeforeTheLog(t *testing.T) {
	h := newHouse(t)
	all := h.codes()
	h.Store = New(h.parts)
	h.wants("front", all[0], wire.ReasonNotReady)
	h.Recall(nil)
	h.wants("front", all[0], wire.ReasonGranted)
}

// TestGuessing: a thousand guesses a second for a day are a few looks, and an alarm after
// each five; whoever waits gets in, at another reader without waiting.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		all := h.codes()
		wrong := "9999999999"
		if slices.Contains(all, wrong) {
			wrong = "9999999998"
		}
		begun := time.Now()
		for time.Since(begun) < 24*time.Hour {
			h.wants("front", wrong, wire.ReasonBadCode)
			time.Sleep(time.Second)
		}
		h.wants("front", wrong, wire.ReasonBadCode)
		h.wants("front", all[0], wire.ReasonBadCode) // not looked at
		p, _ := device.NewPIN(all[0])
		if a := h.Open("front", "side", p, access.At(1000)); a.Reason != wire.ReasonGranted {
			t.Errorf("at another reader: %v", a.Reason)
		}
		time.Sleep(atReader.Every)
		h.wants("front", all[1], wire.ReasonGranted)
		if alarms := len(h.log.all); alarms < 280 || alarms > 290 || !h.log.all[0].Alarm() || h.log.all[0].Door != "front" {
			t.Errorf("%d alarms", alarms)
		}
	})
}

// TestDamaged: a file that can't be read is set aside and told.
func TestDamaged(t *testing.T) {
	h := newHouse(t)
	h.codes()
	must(t, os.WriteFile(filepath.Join(h.parts.Dir, File), []byte(`{"format":1}`), 0o600))
	h.start()
	if len(h.log.all) != 1 || h.log.all[0].Kind != wire.KindDamaged {
		t.Errorf("entries %v", h.log.all)
	}
	h.codes()
	var f file
	data, err := os.ReadFile(filepath.Join(h.parts.Dir, File))
	must(t, err)
	must(t, json.Unmarshal(data, &f))
	if len(f.Codes) != Each {
		t.Errorf("%d codes on the disk", len(f.Codes))
	}
}
