package mandate

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
)

// TestJudge: what a sound mandate allows, by the approver of the town and by that of its district.
func TestJudge(t *testing.T) {
	for _, seed := range []byte{1, 2} {
		envelope := sign(t, sample(t), key(seed))
		use, refusal := Judge(envelope, trust(), at(noon+60))
		if refusal != nil {
			t.Fatalf("seed %d: %v", seed, refusal)
		}
		if use.Number != 1 || use.Uncertain || !slices.Equal(use.Doors, []string{"back", "front"}) || use.Sum != sha256.Sum256(envelope) || use.Approver.Public != public(seed) {
			t.Errorf("seed %d: %+v", seed, use)
		}
	}
	second := at(noon + 60)
	second.Used = 1
	if use, refusal := Judge(sign(t, sample(t), key(1)), trust(), second); refusal != nil || use.Number != 2 {
		t.Errorf("the second answer: %+v, %v", use, refusal)
	}
	emergency := sample(t)
	change := emergencyOf
	change(&emergency)
	if _, refusal := Judge(sign(t, emergency, key(1)), trust(), at(noon+60)); refusal != nil {
		t.Errorf("an emergency: %v", refusal)
	}
}

// emergencyOf is one door, one day, one answer, and no second authority yet.
func emergencyOf(m *Mandate) {
	m.Emergency, m.Answers, m.Expires, m.Telling = true, 1, noon+86400, &mandates.Telling{From: noon + 30*86400}
	m.Request.From, m.Request.Gateways = noon-86400, []mandates.Gateway{{ID: "gate-1", Doors: []string{"front"}}}
	m.Approval.Validating = mandates.Authority{}
}

// refused is one way to be refused.
type refused struct {
	name   string
	code   Code
	change func(m *Mandate)
	ask    func(q *Question)
	by     byte // seed; 0: 1
}

func approverKey(seed byte) wire.KeyID { return wire.IDOf(key(seed).Public().(ed25519.PublicKey)) }

// theWays are all that Judge refuses of what is well signed by somebody.
func theWays() []refused {
	return slices.Concat(thePapers(), theScopes(), theTimes())
}

func thePapers() []refused {
	return []refused{
		{name: "signed by nobody known", code: UnknownApprover, by: 9},
		{name: "withdrawn", code: Withdrawn, change: func(m *Mandate) { m.Status, m.StatusReason = mandates.Withdrawn, "案件撤销" }},
		{name: "no case", code: Incomplete, change: func(m *Mandate) { m.Approval.Case = "" }},
		{name: "no notice", code: Incomplete, change: func(m *Mandate) { m.Approval.Notice = "" }},
		{name: "no purpose", code: Incomplete, change: func(m *Mandate) { m.Approval.Purpose = "" }},
		{name: "no file of the issuing authority", code: Incomplete, change: func(m *Mandate) { m.Approval.Issuing.File = "" }},
		{name: "no second authority", code: Incomplete, change: func(m *Mandate) { m.Approval.Validating = mandates.Authority{} }},
		{name: "one officer", code: Incomplete, change: func(m *Mandate) { m.Approval.Officers[1] = mandates.Officer{} }},
		{name: "an officer without a key", code: Incomplete, change: func(m *Mandate) { m.Approval.Officers[0].Key = wire.KeyID{} }},
		{name: "the second officer without a key", code: Incomplete, change: func(m *Mandate) { m.Approval.Officers[1].Key = wire.KeyID{} }},
		{name: "approver is an officer", code: ApproverIsOfficer, change: func(m *Mandate) { m.Approval.Officers[1].Key = approverKey(1) }},
		{name: "one officer twice", code: OneOfficer, change: func(m *Mandate) { m.Approval.Officers[1].Key = m.Approval.Officers[0].Key }},
		{name: "no recipient", code: NoRecipient, change: func(m *Mandate) { m.Delivery.Recipient = nil }},
		{name: "a recipient nobody can seal to", code: NoRecipient, change: func(m *Mandate) { m.Delivery.Recipient = m.Delivery.Recipient[1:] }},
		{name: "another town's approver", code: NotHeld, by: 3},
		{name: "another district", code: NotHeld, change: func(m *Mandate) { m.Request.District = "south" }},
	}
}

func theScopes() []refused {
	month := func(m *Mandate) { m.Request.From, m.Answers = noon-31*86400, 1 }
	return []refused{
		{name: "no door", code: NoScope, change: func(m *Mandate) { m.Request.Gateways = nil }},
		{name: "the future", code: Future, change: func(m *Mandate) { m.Request.Until = noon + 1 }},
		{name: "three doors, a month, twice", code: TooWide, change: func(m *Mandate) { month(m); m.Answers = 2 }},
		{name: "a second more than a month of three doors", code: TooWide, change: func(m *Mandate) { month(m); m.Request.From-- }},
		{name: "named, and half a year of all doors for ever", code: TooWide, change: func(m *Mandate) {
			m.Request.Flats, m.Request.From, m.Answers = []string{"3B"}, noon-180*86400, 255
		}},
		{name: "since 1970", code: TooWide, change: func(m *Mandate) { m.Request.InHand, m.Request.From, m.Answers = true, 1, 255 }},
		{name: "good for a year", code: ValidTooLong, change: func(m *Mandate) { m.Expires = noon + 365*86400 }},
		{name: "an emergency of two doors", code: EmergencyTooWide, change: func(m *Mandate) { emergencyOf(m); m.Request.Gateways[0].Doors = []string{"back", "front"} }},
		{name: "an emergency twice", code: EmergencyTooWide, change: func(m *Mandate) { emergencyOf(m); m.Answers = 2 }},
		{name: "an emergency of more than a day", code: EmergencyTooWide, change: func(m *Mandate) { emergencyOf(m); m.Request.From-- }},
		{name: "an emergency good for longer", code: EmergencyTooWide, change: func(m *Mandate) { emergencyOf(m); m.Expires++ }},
		{name: "nobody is told for years", code: ToldLate, change: func(m *Mandate) { m.Telling = &mandates.Telling{From: noon + 730*86400 + 1} }},
		{name: "an emergency that is told of late", code: ToldLate, change: func(m *Mandate) { emergencyOf(m); m.Telling.From++ }},
		{name: "an emergency that is never told of", code: ToldLate, change: func(m *Mandate) { emergencyOf(m); m.Telling = &mandates.Telling{Basis: "法"} }},
		{name: "an emergency that says nothing of it", code: ToldLate, change: func(m *Mandate) { emergencyOf(m); m.Telling = nil }},
		{name: "another building", code: WrongBuilding, change: func(m *Mandate) { m.Request.Building = "house-2" }},
		{name: "the same name in another town", code: WrongBuilding, by: 2, change: func(m *Mandate) { m.Request.Town = "lao" }},
		{name: "another gateway", code: WrongGateway, ask: func(q *Question) { q.Place.Gateway = "gate-9" }},
	}
}

func theTimes() []refused {
	between := func(lo, hi int64) func(*Question) {
		return func(q *Question) { q.Now = trueclock.Interval{Lo: lo, Hi: hi} }
	}
	return []refused{
		{name: "expired", code: Expired, ask: between(noon+7*86400, noon+7*86400)},
		{name: "expired, at least", code: Expired, ask: between(noon+7*86400, trueclock.Unknown)},
		{name: "not yet", code: NotYet, ask: between(0, noon-1)},
		{name: "used up", code: UsedUp, ask: func(q *Question) { q.Used = 2 }},
		{name: "used up, and no clock", code: UsedUp, ask: func(q *Question) { q.Used, q.Now.Hi = 2, trueclock.Unknown }},
		{name: "no clock, again", code: UncertainClock, ask: func(q *Question) { q.Used, q.Now = 1, trueclock.Interval{Hi: trueclock.Unknown} }},
		{name: "it may be over, again", code: UncertainClock, ask: func(q *Question) { q.Used, q.Now.Hi = 1, noon+7*86400 }},
	}
}

// TestRefusals: each way to be refused has its code, and nothing of it is answered.
func TestRefusals(t *testing.T) {
	for _, c := range theWays() {
		m, q := sample(t), at(noon+60)
		if c.change != nil {
			c.change(&m)
		}
		if c.ask != nil {
			c.ask(&q)
		}
		envelope := sign(t, m, key(max(c.by, 1)))
		use, refusal := Judge(envelope, trust(), q)
		if _, held := Held(envelope, trust(), q.Place); held != nil && held.Code != c.code {
			t.Errorf("%s: looked at alone it is refused for another reason, %s", c.name, held.Name)
		} else if foreign := slices.Contains([]Code{UnknownApprover, NotHeld, WrongBuilding}, c.code); foreign && held == nil {
			t.Errorf("%s: it is held to be for the house", c.name)
		}
		if refusal == nil || refusal.Code != c.code {
			t.Errorf("%s: %v, want %s", c.name, refusal, c.code)
		} else if use.Doors != nil || use.Number != 0 {
			t.Errorf("%s: refused, and there is a use: %+v", c.name, use)
		}
	}
}

// TestEnvelopes: what is no mandate at all, or was signed as something else or for somebody else.
func TestEnvelopes(t *testing.T) {
	m := sample(t)
	payload, err := mandates.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	as := func(p wire.Protected, payload []byte) []byte {
		b, err := wire.Sign(p, payload, key(1))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	proper := wire.Protected{Type: mandates.Type, Role: wire.RoleApprover, Address: "city"}
	m.Telling = &mandates.Telling{From: noon}
	told, err := mandates.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	other, issuer, old, newer, newest := proper, proper, proper, proper, proper
	newer.Version, newest.Version = mandates.Newest, mandates.Newest+1
	other.Address, issuer.Role, old.Epoch = "town", wire.RoleIssuer, 1
	for _, c := range []struct {
		name     string
		envelope []byte
		code     Code
	}{
		{"nothing", nil, Unsigned}, {"the bare payload", payload, Unsigned}, {"text", []byte("please"), Unsigned},
		{"another registry's", as(other, payload), OtherRegistry}, {"an issuer's word", as(issuer, payload), Unsigned},
		{"another epoch", as(old, payload), UnknownApprover},
		{"a field more than its version has", as(proper, told), Malformed}, {"a field less", as(newer, payload), Malformed}, {"a version of tomorrow", as(newest, told), Malformed},
		{"something else, well signed", as(proper, []byte{0xa0}), Malformed}, {"more than a mandate", as(proper, append(bytes.Clone(payload), 0)), Malformed},
	} {
		if _, refusal := Open(c.envelope, trust()); refusal == nil || refusal.Code != c.code {
			t.Errorf("%s: %v, want %s", c.name, refusal, c.code)
		}
	}
	if got, refusal := Open(as(proper, payload), trust()); refusal != nil || got.Reference != m.Reference {
		t.Errorf("the proper one: %v", refusal)
	}
	if got, refusal := Open(as(newer, told), trust()); refusal != nil || got.Telling == nil || got.Telling.From != noon {
		t.Errorf("the proper one of version 2: %v", refusal)
	}
}

// TestRoleKeyIsNoApprover: a key of the role without a town, as older trust documents have it, approves nothing.
func TestRoleKeyIsNoApprover(t *testing.T) {
	old := wire.Trust{Registry: "city", Keys: []wire.RoleKey{{Role: wire.RoleApprover, Public: public(1)}}}
	if _, refusal := Judge(sign(t, sample(t), key(1)), old, at(noon)); refusal == nil || refusal.Code != UnknownApprover {
		t.Errorf("%v", refusal)
	}
}

// TestUncertainClock: a gateway that does not know the time answers once, and says so.
func TestUncertainClock(t *testing.T) {
	envelope := sign(t, sample(t), key(1))
	for _, now := range []trueclock.Interval{{Hi: trueclock.Unknown}, {Lo: noon - 1, Hi: noon + 5}, {Lo: noon, Hi: noon + 7*86400}} {
		q := at(0)
		q.Now = now
		use, refusal := Judge(envelope, trust(), q)
		if refusal != nil || !use.Uncertain {
			t.Errorf("%+v: %+v, %v", now, use, refusal)
		}
	}
}

// TestWidth: no mandate passes whose doors, days and answers are more than the cap, whatever they
// are; and what a judge admits is within its scope, time and count.
func TestWidth(t *testing.T) {
	base := sample(t)
	rapid.Check(t, func(t *rapid.T) {
		m := base
		m.Request.Gateways = nil
		doors := 0
		for i := range rapid.IntRange(0, 9).Draw(t, "gateways") {
			g := mandates.Gateway{ID: "gate-" + string(rune('a'+i))}
			for d := range rapid.IntRange(1, 9).Draw(t, "doors") {
				g.Doors = append(g.Doors, "door-"+string(rune('a'+d)))
				doors++
			}
			m.Request.Gateways = append(m.Request.Gateways, g)
		}
		m.Request.From = rapid.Uint32Range(1, noon+10*86400).Draw(t, "from")
		m.Request.Until = rapid.Uint32Range(m.Request.From+1, math.MaxUint32).Draw(t, "until")
		if rapid.Bool().Draw(t, "past") {
			m.Request.Until = min(m.Request.Until, noon+1)
			m.Request.From = min(m.Request.From, m.Request.Until-1)
		}
		m.Answers, m.Expires = rapid.Uint8Range(1, 255).Draw(t, "answers"), rapid.Uint32Range(noon+1, math.MaxUint32).Draw(t, "expires")
		m.Emergency = rapid.Bool().Draw(t, "emergency")
		if rapid.Bool().Draw(t, "named") {
			m.Request.Flats = []string{"3B"}
		}
		if Examine(m, approver.Approver{Public: public(1), District: "north"}) != nil {
			return
		}
		span := float64(m.Request.Until-m.Request.From) / 86400
		if float64(doors)*span*float64(m.Answers) > float64(Most(m.Request)) || doors == 0 || m.Request.Until > m.Issued {
			t.Fatalf("%d doors, %.1f days, %d answers, until %d pass", doors, span, m.Answers, m.Request.Until)
		}
		if m.Emergency && (doors != 1 || span > 1 || m.Answers != 1) {
			t.Fatalf("an emergency with %d doors, %.1f days, %d answers passes", doors, span, m.Answers)
		}
	})
}

// TestTimes: no gateway answers outside of a mandate's time or beyond its count, whatever it knows of the time.
func TestTimes(t *testing.T) {
	m := sample(t)
	envelope := sign(t, m, key(1))
	rapid.Check(t, func(t *rapid.T) {
		q := at(0)
		q.Now.Lo = rapid.Int64Range(noon-20*86400, noon+20*86400).Draw(t, "lo")
		q.Now.Hi = rapid.Int64Range(q.Now.Lo, noon+30*86400).Draw(t, "hi")
		q.Used = rapid.IntRange(0, 4).Draw(t, "used")
		use, refusal := Judge(envelope, trust(), q)
		inside, outside := int64(m.Issued) <= q.Now.Lo && q.Now.Hi < int64(m.Expires), int64(m.Expires) <= q.Now.Lo || q.Now.Hi < int64(m.Issued)
		switch {
		case refusal == nil && (outside || use.Number > int(m.Answers) || use.Uncertain == inside || use.Uncertain && use.Number > 1):
			t.Fatalf("%+v is answered as %d, uncertain %t", q, use.Number, use.Uncertain)
		case refusal != nil && inside && q.Used < int(m.Answers):
			t.Fatalf("%+v: %v", q, refusal)
		}
	})
}

var mutations = flag.Int("mutations", 20_000, "random changes of a signed mandate that are tried; make long has 1,000,000")

// TestMutations: of a signed mandate of any kind, with one to four bytes changed, cut, put in or doubled, none is taken.
func TestMutations(t *testing.T) {
	trusted, q := trust(), at(noon+60)
	kinds := []func(m *Mandate){
		func(*Mandate) {},
		emergencyOf,
		func(m *Mandate) { m.Request.Flats = []string{"1A", "2B"} },
		func(m *Mandate) { m.Telling = &mandates.Telling{Basis: "刑事诉讼法第五十四条"} },
	}
	var envelopes [][]byte
	for i, change := range kinds {
		m := sample(t)
		change(&m)
		envelope := sign(t, m, key(1))
		if _, refusal := Judge(envelope, trusted, q); refusal != nil {
			t.Fatalf("kind %d: %v", i, refusal)
		}
		envelopes = append(envelopes, envelope)
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range *mutations {
		kind := r.IntN(len(kinds))
		changed := mutate(r, envelopes[kind])
		if bytes.Equal(changed, envelopes[kind]) {
			continue
		}
		if use, refusal := Judge(changed, trusted, q); refusal == nil {
			t.Fatalf("seed %d, kind %d: taken for %s: %x", seed, kind, use.Mandate.Request.Building, changed)
		}
	}
}

func mutate(r *rand.Rand, envelope []byte) []byte {
	b := bytes.Clone(envelope)
	for range 1 + r.IntN(4) {
		i := r.IntN(len(b))
		switch r.IntN(5) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b[i] = byte(r.Uint32())
		case 2:
			b = slices.Delete(b, i, i+1)
		case 3:
			b = slices.Insert(b, i, byte(r.Uint32()))
		default:
			j := i + r.IntN(len(b)-i)
			b = slices.Insert(b, i, b[i:j]...)
		}
	}
	return b
}

// FuzzJudge: nothing ends the judge, and what it takes is the very envelope that was signed.
func FuzzJudge(f *testing.F) {
	envelope := sign(f, sample(f), key(1))
	f.Add(envelope)
	f.Add(envelope[:100])
	trusted, q := trust(), at(noon+60)
	f.Fuzz(func(t *testing.T, b []byte) {
		if use, refusal := Judge(b, trusted, q); refusal == nil {
			if again := sign(t, use.Mandate, key(1)); !bytes.Equal(again, b) {
				t.Errorf("%x is taken, and signed again it is %x", b, again)
			}
		} else if refusal.Reason.ZH == "" || refusal.Do.EN == "" {
			t.Errorf("%x: a refusal without words", b)
		}
	})
}
