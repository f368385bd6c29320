package evidence

import (
	"bytes"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// TestWriteVerify: what is written is proved, entry by entry, says how much of whom is known, and
// is the same bytes when it is made again.
func TestWriteVerify(t *testing.T) {
	l, k := smallLog(t), townKeys()
	c := l.content(t, k, 5, 35)
	file := written(t, c)
	r, err := Verify(file, Trust{Root: public(k.root)})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Whole() || !r.LogSigned || r.SignedBy != ByGateway || r.CosignedAt.Unix() != cosignedAt || r.Cosigned != 35 || r.Size != uint64(len(l.leaves)) || len(r.Entries) != 30 {
		t.Errorf("whole %t, by the log %t, by %s, cosigned %d at %v, size %d", r.Whole(), r.LogSigned, r.SignedBy, r.Cosigned, r.CosignedAt, r.Size)
	}
	for i, e := range r.Entries {
		want := must[wire.Header](t)(wire.DecodeHeader(l.entries[5+i].Header))
		state := new(Counts).add(l.entries[5+i])
		if state == Named && (i < 4 || want.Door != "front") {
			state = Withheld
		}
		if e.Sequence != uint64(5+i) || e.Header.Counter != want.Counter || e.Header.Door != want.Door || e.State != state {
			t.Errorf("entry %d: %+v", 5+i, e)
		}
		if state == Named && (wire.WhoHash(e.Salt, must[[]byte](t)(e.Who.Encode())) != e.WhoHash || e.Who.Tenancy[0] != 3) {
			t.Errorf("entry %d names somebody else", e.Sequence)
		}
	}
	if r.Manifest.Counts.Named == 0 || r.Manifest.Counts.Withheld == 0 || !r.Manifest.Erased {
		t.Errorf("%+v", r.Manifest.Counts)
	}
	if !bytes.Equal(file, written(t, c)) {
		t.Error("made again it has other bytes")
	}
}

// TestByRegistry: a file that the registry made is signed by its witness, and its checkpoint may
// have no signature of the log.
func TestByRegistry(t *testing.T) {
	l, k := smallLog(t), townKeys()
	c := l.content(t, k, 0, 10)
	c.Key = k.witness
	lines := strings.SplitAfter(c.Head.Note, "\n")
	c.Head.Note = strings.Join(append(lines[:4:4], lines[5:]...), "")
	r, err := Verify(written(t, c), Trust{Root: public(k.root)})
	if err != nil || r.SignedBy != ByWitness || r.LogSigned || !r.Whole() {
		t.Errorf("by %s, by the log %t, whole %t, %v", r.SignedBy, r.LogSigned, r.Whole(), err)
	}
}

// TestNotYetCosigned: entries behind the newest cosigned checkpoint are proved by the gateway alone,
// and marked so.
func TestNotYetCosigned(t *testing.T) {
	file, _, k := sample(t)
	r, err := Verify(file, Trust{Root: public(k.root)})
	if err != nil || r.Whole() || r.Cosigned != 31 || !r.LogSigned || r.CosignedAt.Unix() != cosignedAt {
		t.Errorf("whole %t, cosigned %d at %v, %v", r.Whole(), r.Cosigned, r.CosignedAt, err)
	}
	l := smallLog(t)
	c := l.content(t, k, 5, 35)
	c.Head.Note = k.signAlone(t, l.checkpoint(uint64(len(l.leaves))))
	if r, err = Verify(written(t, c), Trust{Root: public(k.root)}); err != nil || r.Cosigned != 0 || !r.CosignedAt.IsZero() || r.Whole() {
		t.Errorf("without a witness: cosigned %d at %v, %v", r.Cosigned, r.CosignedAt, err)
	}
}

// TestTrust: a file is judged by the root that the reader believes, by a document of that root, or
// by its own, which anchors nothing.
func TestTrust(t *testing.T) {
	l, k := smallLog(t), townKeys()
	file := written(t, l.content(t, k, 5, 35))
	document, house := k.documents(t)
	other := townKeys()
	other.root = keyOf(9)
	foreign, _ := other.documents(t)
	for name, c := range map[string]struct {
		trust    Trust
		anchored bool
		code     Code
	}{"root": {Trust{Root: public(k.root)}, true, ""}, "document": {Trust{Document: document}, true, ""}, "nothing": {Trust{}, false, ""},
		"another root":               {Trust{Root: public(keyOf(9))}, false, OtherRoot},
		"a document of another root": {Trust{Document: foreign}, false, OtherRoot}, "another document": {Trust{Document: house}, false, OtherRoot}} {
		r, err := Verify(file, c.trust)
		if code := codeOf(err); code != c.code || r.Anchored != c.anchored {
			t.Errorf("%s: anchored %t, %v", name, r.Anchored, err)
		}
	}
}

// TestHouseByItself: without a registry the file names the gateway's key and nobody vouches for it.
func TestHouseByItself(t *testing.T) {
	l, k := smallLog(t), townKeys()
	c := l.content(t, k, 5, 35)
	c.Manifest.Registry, c.Manifest.Root, c.Trust, c.House = "", "", nil, nil
	c.Head.Note = k.signAlone(t, l.checkpoint(uint64(len(l.leaves))))
	file := written(t, c)
	if r, err := Verify(file, Trust{Root: public(k.gateway)}); err != nil || !r.Anchored || r.Whole() || r.Root != nil || !r.Log.Equal(public(k.gateway)) {
		t.Errorf("anchored %t, whole %t, %v", r.Anchored, r.Whole(), err)
	}
	if _, err := Verify(file, Trust{Root: public(k.root)}); codeOf(err) != OtherRoot {
		t.Errorf("by another key: %v", err)
	}
}

// TestWriteRefuses: what does not fit together is not written.
func TestWriteRefuses(t *testing.T) {
	l, k := smallLog(t), townKeys()
	for name, change := range map[string]func(*Content){
		"an entry too few":        func(c *Content) { c.Entries = sequence(l.entries[5:34]) },
		"another entry":           func(c *Content) { c.Entries = sequence(l.entries[6:36]) },
		"a span from elsewhere":   func(c *Content) { c.Manifest.First = 6 },
		"another log":             func(c *Content) { c.Manifest.Epoch++ },
		"another gateway's key":   func(c *Content) { c.Log = public(k.witness) },
		"no key":                  func(c *Content) { c.Key = nil },
		"no time zone":            func(c *Content) { c.Manifest.TimeZone = "" },
		"no checkpoint":           func(c *Content) { c.Head.Note = "" },
		"a trust of another root": func(c *Content) { c.Manifest.Root = strings.Repeat("00", 32) },
		"a disk that fails":       func(c *Content) { c.Entries = failing(l.entries[5:35]) },
		"entries that change":     func(c *Content) { c.Entries = changing(l.entries[5:35]) },
	} {
		c := l.content(t, k, 5, 35)
		change(&c)
		if err := Write(new(bytes.Buffer), c); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

var errDisk = errors.New("disk")

func failing(entries []journaled.Stored) iter.Seq2[journaled.Stored, error] {
	return func(yield func(journaled.Stored, error) bool) {
		for _, s := range entries[1:] {
			if !yield(s, nil) {
				return
			}
		}
		yield(journaled.Stored{}, errDisk)
	}
}

// changing yields the entries once, and then erased ones: as if they were erased meanwhile.
func changing(entries []journaled.Stored) iter.Seq2[journaled.Stored, error] {
	asked := 0
	return func(yield func(journaled.Stored, error) bool) {
		asked++
		for _, s := range entries {
			if asked > 1 {
				s = s.Erase()
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

func codeOf(err error) Code {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

// TestOpenings: what the log knows of an opening, and nothing more.
func TestOpenings(t *testing.T) {
	const front, back, bare = "front", "back", "bare"
	type step struct {
		boot, counter uint64
		kind          wire.Kind
		door          string
		ref           uint64 // counter; 0: none
	}
	card := func(counter uint64, door string) step { return step{1, counter, wire.KindAccess, door, 0} }
	secured := func(counter uint64, door string) step { return step{1, counter, wire.KindSecured, door, 0} }
	for name, c := range map[string]struct {
		steps []step
		want  Opening // of the first
	}{
		"seen":                                {[]step{card(1, front), {1, 2, wire.KindOpened, front, 1}, secured(3, front)}, Seen},
		"seen after the lock was secured":     {[]step{card(1, front), secured(2, front), {1, 3, wire.KindOpened, front, 1}}, Seen},
		"another card's opening":              {[]step{card(1, front), card(2, front), {1, 3, wire.KindOpened, front, 2}, secured(4, front)}, NotSeen},
		"an opening of nobody's":              {[]step{card(1, front), {1, 2, wire.KindOpened, front, 0}, secured(3, front)}, Untied},
		"an opening elsewhere":                {[]step{card(1, front), {1, 2, wire.KindOpened, back, 0}, secured(3, front)}, NotSeen},
		"secured elsewhere":                   {[]step{card(1, front), secured(2, back)}, CutShort},
		"the run ended in order":              {[]step{card(1, front), {1, 2, wire.KindStop, "", 0}}, NotSeen},
		"the power went":                      {[]step{card(1, front), {2, 0, wire.KindBoot, "", 0}}, PowerLost},
		"the power went, and another opening": {[]step{card(1, front), {2, 0, wire.KindBoot, "", 0}, {2, 1, wire.KindOpened, front, 1}}, PowerLost},
		"the file ends":                       {[]step{card(1, front)}, CutShort},
		"entries were dropped":                {[]step{card(1, front), {1, 5, wire.KindGap, "", 0}, secured(6, front)}, Dropped},
		"a door without a contact":            {[]step{card(1, bare), secured(2, bare)}, NoContact},
		"a door of which nothing is said":     {[]step{card(1, "side"), secured(2, "side")}, NoContact},
	} {
		r := Report{Manifest: Manifest{Doors: []Door{{front, true}, {back, true}, {bare, false}}}}
		for _, s := range c.steps {
			h := wire.Header{Boot: s.boot, Counter: s.counter, Kind: s.kind, Door: s.door}
			if s.kind == wire.KindAccess {
				h.Outcome = wire.OutcomeGranted
			}
			if s.ref > 0 {
				h.Ref = &wire.Ref{Boot: s.boot, Counter: s.ref}
			}
			r.Entries = append(r.Entries, Entry{Header: h})
		}
		if r.findOpenings(); r.Entries[0].Opening != c.want {
			t.Errorf("%s: %d, want %d", name, r.Entries[0].Opening, c.want)
		}
	}
	denied := Report{Manifest: Manifest{Doors: []Door{{front, true}}}, Entries: []Entry{{Header: wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeDenied, Door: front}}}}
	if denied.findOpenings(); denied.Entries[0].Opening != NotAsked {
		t.Error("an opening is asked for after a denied card")
	}
}

// TestPins: a time that no clock vouches for is corrected by the nearest pin of its run, and one
// that a clock vouches for is not.
func TestPins(t *testing.T) {
	pins := []Pin{{Boot: 1, BootTime: 10e9, Wall: start, Within: 20}, {Boot: 1, BootTime: 100e9, Wall: start + 90_500, Within: 30}, {Boot: 2, BootTime: 50e9, Wall: 1, Within: 1}}
	for _, c := range []struct {
		boot, at uint64
		clock    wire.ClockQuality
		want     int64
		within   time.Duration
		pinned   bool
	}{
		{1, 12e9, wire.ClockUnset, start + 2000, 20 * time.Millisecond, true},
		{1, 8e9, wire.ClockRTC, start - 2000, 20 * time.Millisecond, true},
		{1, 90e9, wire.ClockFloor, start + 80_500, 30 * time.Millisecond, true},
		{1, 12e9, wire.ClockNTP, 77, 0, false},
		{3, 12e9, wire.ClockUnset, 77, 0, false},
	} {
		e := Entry{Header: wire.Header{Boot: c.boot, BootTime: c.at, Wall: 77, Clock: c.clock}}
		if e.setTime(pins); e.Time.UnixMilli() != c.want || e.Within != c.within || e.Pinned != c.pinned {
			t.Errorf("%+v: %v within %v, pinned %t", c, e.Time.UnixMilli(), e.Within, e.Pinned)
		}
	}
}
