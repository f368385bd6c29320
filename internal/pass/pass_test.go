package pass

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

// shown are codes by their text; it stands for the keyring in tests of time.
type shown struct {
	grants *access.Grants
	passes map[string]qrpass.Pass
}

func (s *shown) Grants() *access.Grants { return s.grants }

func (s *shown) OpenPass(text string) (qrpass.Pass, error) {
	p, ok := s.passes[text]
	if !ok {
		return p, errors.New("no pass")
	}
	return p, nil
}

// add makes a pass of the tenancy, and the code of it.
func (s *shown) add(tenancy byte, from int64, minutes int) device.Code {
	n := len(s.passes) + 1
	p := qrpass.Pass{ID: qrpass.ID{1, byte(n), byte(n >> 8), byte(n >> 16)}, Tenancy: wire.ID{tenancy}, From: uint32(from), Until: uint32(from) + uint32(60*minutes)}
	text := p.ID.String()
	s.passes[text] = p
	return codeOf(text)
}

func codeOf(text string) device.Code { c, _ := device.NewCode(text); return c }

// resident is the tenancy that may open "front", suspended that of a lost card.
const (
	resident  = 1
	suspended = 2
	stranger  = 3
)

func newShown(t testing.TB) *shown {
	t.Helper()
	record := func(n byte, state wire.GrantState) wire.Grant {
		return wire.Grant{Credential: wire.CredentialID{1, n}, ID: wire.ID{0xaa, n}, Tenancy: wire.ID{n}, Kind: wire.GrantResident, State: state}
	}
	b, err := access.NewBucket(0, []wire.Grant{record(resident, wire.GrantActive), record(suspended, wire.GrantSuspended)})
	if err != nil {
		t.Fatal(err)
	}
	g, err := access.NewGrants(access.Doors{IDs: []string{"front", "roof"}, Sets: [][]uint16{{0}}}, 0, []*access.Bucket{b})
	if err != nil {
		t.Fatal(err)
	}
	return &shown{grants: g, passes: map[string]qrpass.Pass{}}
}

const noon = 1_800_000_000

// ago makes a judge that was started so long ago.
func ago(keys Keys, d time.Duration) *Judge {
	j := New(keys)
	j.elapsed = func() time.Duration { return d }
	return j
}

// moment is a scan at a door.
type moment struct {
	door  string
	clock access.Time
}

func at(now int64) moment { return moment{"front", access.At(now)} }

func (m moment) show(j *Judge, code device.Code) door.Pass { return j.Decide(code, m.door, m.clock) }

// TestReasons is the table of refusals, and of what each entry may name.
func TestReasons(t *testing.T) {
	with := func(m moment, f func(*moment)) moment { f(&m); return m }
	for _, c := range []struct {
		name    string
		tenancy byte // 0: no pass at all
		q       moment
		want    wire.Reason
		grant   bool
	}{
		{"good", resident, at(noon), wire.ReasonGranted, true},
		{"a minute early", resident, at(noon - Skew), wire.ReasonGranted, true},
		{"earlier", resident, at(noon - Skew - 1), wire.ReasonPassOver, false},
		{"last second", resident, at(noon + 299 + Skew), wire.ReasonGranted, true},
		{"over", resident, at(noon + 300 + Skew), wire.ReasonPassOver, false},
		{"over by all sources", resident, with(at(noon), func(m *moment) { m.clock = access.Time{Lo: noon + 400, Hi: noon + 999} }), wire.ReasonPassOver, false},
		{"over by one source", resident, with(at(noon), func(m *moment) { m.clock.Hi = noon + 400 }), wire.ReasonClockUntrusted, false},
		{"begun by one source", resident, with(at(noon), func(m *moment) { m.clock.Lo = noon - 400 }), wire.ReasonClockUntrusted, false},
		{"no clock", resident, with(at(noon), func(m *moment) { m.clock.Hi = access.Unknown }), wire.ReasonClockUntrusted, false},
		{"no clock, but surely over", resident, with(at(noon+9999), func(m *moment) { m.clock.Hi = access.Unknown }), wire.ReasonPassOver, false},
		{"another door", resident, with(at(noon), func(m *moment) { m.door = "roof" }), wire.ReasonWrongDoor, true},
		{"lost card", suspended, at(noon), wire.ReasonSuspended, true},
		{"tenancy without a grant", stranger, at(noon), wire.ReasonUnknown, false},
		{"no pass", 0, at(noon), wire.ReasonBadCode, false},
		{"no pass, no clock", 0, moment{door: "front"}, wire.ReasonBadCode, false},
	} {
		keys := newShown(t)
		code := codeOf("https://example.org")
		if c.tenancy != 0 {
			code = keys.add(c.tenancy, noon, 5)
		}
		j := ago(keys, time.Hour)
		v := c.q.show(j, code)
		if v.Reason != c.want {
			t.Errorf("%s: %s, want %s", c.name, v.Reason, c.want)
		}
		if (v.Who.Tenancy != nil) != (c.tenancy != 0) || (v.Who.Grant != nil) != c.grant || v.Who.Credential != nil ||
			(v.Who.Method == wire.MethodPass) != (c.tenancy != 0) {
			t.Errorf("%s: names %+v", c.name, v.Who)
		}
		if got := j.Use(v); got != (c.want == wire.ReasonGranted) {
			t.Errorf("%s: used: %t", c.name, got)
		}
		if c.want == wire.ReasonGranted {
			if again := c.q.show(j, code); again.Reason != wire.ReasonReplayed || j.Use(again) || j.Use(v) {
				t.Errorf("%s: again: %s", c.name, again.Reason)
			}
		}
	}
	keys := newShown(t)
	code := keys.add(resident, noon, 5)
	keys.grants = nil
	if v := at(noon).show(ago(keys, time.Hour), code); v.Reason != wire.ReasonNotReady {
		t.Errorf("without grants: %s", v.Reason)
	}
}

// TestRefusedIsNotUsed: a pass that opened nothing opens the right door later.
func TestRefusedIsNotUsed(t *testing.T) {
	keys := newShown(t)
	code, j := keys.add(resident, noon, 5), ago(keys, time.Hour)
	for _, q := range []moment{{"roof", at(noon).clock}, {"front", access.Time{Hi: access.Unknown}}, at(noon - 999), at(noon), at(noon)} {
		if v := q.show(j, code); q != at(noon) && j.Use(v) {
			t.Fatalf("%s counts as used", v.Reason)
		}
	}
	if v := at(noon).show(j, code); v.Reason != wire.ReasonGranted || !j.Use(v) {
		t.Fatalf("at the right door: %s", v.Reason)
	}
}

// TestTwoDoorsAtOnce: of two doors that both decided before either opened, one
// opens.
func TestTwoDoorsAtOnce(t *testing.T) {
	keys := newShown(t)
	code, j := keys.add(resident, noon, 5), ago(keys, time.Hour)
	opened := make(chan bool)
	const doors = 8
	for range doors {
		go func() {
			v := at(noon).show(j, code)
			opened <- j.Use(v)
		}()
	}
	n := 0
	for range doors {
		if <-opened {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d doors opened", n)
	}
}

// TestAfterStart: what was issued before the start, or within a minute of it,
// counts as used, whatever the clock was at the start.
func TestAfterStart(t *testing.T) {
	for _, up := range []int64{0, 1, 30, 300} {
		keys := newShown(t)
		j := ago(keys, time.Duration(up)*time.Second)
		start := int64(noon) - up
		for from := start - 400; from <= noon+Skew; from++ {
			want := wire.ReasonGranted
			if from <= start+Skew {
				want = wire.ReasonReplayed
			}
			if v := at(noon).show(j, keys.add(resident, from, 15)); v.Reason != want {
				t.Fatalf("up for %d s, issued %d s after the start: %s", up, from-start, v.Reason)
			}
		}
	}
}

// TestFlood: more used passes than are remembered never let one open again.
func TestFlood(t *testing.T) {
	keys := newShown(t)
	j := ago(keys, time.Hour)
	var codes []device.Code
	for i := range int64(3 * maxUsed) {
		code := keys.add(resident, noon-800+(i*7919)%800, 15)
		if v := at(noon).show(j, code); v.Reason == wire.ReasonGranted && j.Use(v) {
			codes = append(codes, code)
		}
	}
	if len(j.used) > maxUsed || len(codes) < maxUsed {
		t.Fatalf("%d remembered, %d opened", len(j.used), len(codes))
	}
	for _, code := range codes {
		if v := at(noon).show(j, code); v.Reason != wire.ReasonReplayed {
			t.Fatalf("after a flood: %s", v.Reason)
		}
	}
	if v := at(noon).show(j, keys.add(resident, noon, 5)); v.Reason != wire.ReasonGranted {
		t.Fatalf("a new pass: %s", v.Reason)
	}
	if v := at(noon+1000).show(j, keys.add(resident, noon+1000, 5)); !j.Use(v) || len(j.used) > maxUsed/2 {
		t.Fatalf("a quarter of an hour later: %s, %d remembered", v.Reason, len(j.used))
	}
}

// TestNeverTwice: whatever is issued and shown when, however the gateway's clock
// is set, no pass opens twice in one run; and none opens in the next run that
// opened in this one, as long as the clocks differ by no more than Skew.
func TestNeverTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		honest := rapid.Bool().Draw(t, "honest clock")
		errs := rapid.Int64Range(-Skew, Skew)
		if !honest {
			errs = rapid.OneOf(errs, rapid.Int64Range(-100_000, 100_000))
		}
		keys := &shown{grants: grantsForRapid(t), passes: map[string]qrpass.Pass{}}
		now, started := int64(noon), int64(noon)
		var wrong int64
		newJudge := func() *Judge {
			j := New(keys)
			started = now
			j.elapsed = func() time.Duration { return time.Duration(now-started) * time.Second }
			return j
		}
		j := newJudge()
		opened := map[device.Code]bool{}
		marks := map[device.Code]wire.ID{}
		var codes []device.Code
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"wait", "issue", "show", "show", "show", "set", "restart"}).Draw(t, "step") {
			case "wait":
				now += rapid.Int64Range(0, 400).Draw(t, "s")
			case "issue":
				codes = append(codes, keys.add(resident, now, rapid.IntRange(1, 15).Draw(t, "minutes")))
			case "set":
				wrong = errs.Draw(t, "wrong by")
			case "restart":
				j = newJudge()
				if rapid.Bool().Draw(t, "recall") {
					j.Recall(slices.Collect(maps.Values(marks)))
				} else if !honest {
					clear(opened)
				}
			case "show":
				if len(codes) == 0 {
					continue
				}
				code := rapid.SampledFrom(codes).Draw(t, "code")
				v := at(now+wrong).show(j, code)
				p := keys.passes[code.Text()]
				fresh := wrong == 0 && honest && int64(p.From) > started+2*Skew && now < int64(p.Until) && !opened[code]
				if fresh && v.Reason != wire.ReasonGranted {
					t.Fatalf("a fresh pass is %s", v.Reason)
				}
				if !j.Use(v) {
					continue
				}
				if opened[code] {
					t.Fatalf("opened twice; issued %d s ago, clock wrong by %d s", now-int64(p.From), wrong)
				}
				opened[code], marks[code] = true, v.ID
			}
		}
	})
}

// TestRecall: once the used ones are known, a pass of before the start is good.
func TestRecall(t *testing.T) {
	keys := newShown(t)
	used, fresh := keys.add(resident, noon-60, 5), keys.add(resident, noon-60, 5)
	j := ago(keys, 0)
	before := ago(keys, time.Hour)
	mark := at(noon).show(before, used).ID
	for _, code := range []device.Code{used, fresh} {
		if v := at(noon).show(j, code); v.Reason != wire.ReasonReplayed {
			t.Fatalf("before Recall: %s", v.Reason)
		}
	}
	j.Recall([]wire.ID{mark})
	if v := at(noon).show(j, used); v.Reason != wire.ReasonReplayed {
		t.Errorf("a used pass: %s", v.Reason)
	}
	if v := at(noon).show(j, fresh); v.Reason != wire.ReasonGranted {
		t.Errorf("a fresh pass: %s", v.Reason)
	}
}

func grantsForRapid(t *rapid.T) *access.Grants {
	b, err := access.NewBucket(0, []wire.Grant{{Credential: wire.CredentialID{1}, ID: wire.ID{1}, Tenancy: wire.ID{resident}, Kind: wire.GrantResident, State: wire.GrantActive}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := access.NewGrants(access.Doors{IDs: []string{"front"}, Sets: [][]uint16{{0}}}, 0, []*access.Bucket{b})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
