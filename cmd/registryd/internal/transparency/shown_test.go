package transparency

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// TestShow: what is hidden, and what a total says of it.
func TestShow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		counts []int
		shown  string
		total  string
	}{
		{nil, "", "0"}, {[]int{0, 0}, "0 0", "0"}, {[]int{5, 12}, "5 12", "17"}, {[]int{1}, "<5", "1-4"}, {[]int{4}, "<5", "1-4"},
		{[]int{7, 3, 0}, "7 <5 0", "8-11"}, {[]int{1, 1, 1}, "<5 <5 <5", "3-12"}, {[]int{4, 4, 4}, "<5 <5 <5", "3-12"},
	} {
		var s span
		var shown []string
		for _, n := range c.counts {
			one := countOf(n)
			s, shown = s.plus(one), append(shown, one.cell())
		}
		if got := strings.Join(shown, " "); got != c.shown || s.String() != c.total {
			t.Errorf("%v is shown as %q, in all %s", c.counts, got, s)
		}
	}
}

// TestNothingHiddenShows: whatever the hidden numbers are, within what is possible, exactly the same is shown: rows, totals
// and the length of the list.
func TestNothingHiddenShows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 8).Draw(t, "towns")
		count := rapid.OneOf(rapid.IntRange(0, 6), rapid.IntRange(0, 3000))
		other := func(n int) int { // one that is shown in the same way
			if n > 0 && n < 5 {
				return rapid.IntRange(1, 4).Draw(t, "hidden")
			}
			return n
		}
		a, b := make([]api.TownCounts, n), make([]api.TownCounts, n)
		siteA, siteB := onSite{towns: map[api.Town]siteCounts{}, keyed: rapid.Bool().Draw(t, "key")}, onSite{towns: map[api.Town]siteCounts{}}
		siteB.keyed = siteA.keyed
		for i := range n {
			town := api.Town{District: "d", Town: fmt.Sprint(i)}
			a[i] = api.TownCounts{Town: town, Answers: count.Draw(t, "answers"), Refused: count.Draw(t, "refused"), Preserved: count.Draw(t, "preserved"), Forgotten: count.Draw(t, "forgotten")}
			a[i].Emergencies = rapid.IntRange(0, a[i].Answers).Draw(t, "emergencies")
			a[i].Validated = rapid.IntRange(0, a[i].Emergencies).Draw(t, "validated")
			b[i] = api.TownCounts{Town: town, Answers: other(a[i].Answers), Refused: other(a[i].Refused), Preserved: other(a[i].Preserved), Forgotten: other(a[i].Forgotten), Emergencies: a[i].Emergencies, Validated: a[i].Validated}
			if a[i].Answers < few { // a reader knows that there were some, and whether there were emergencies and confirmed ones
				b[i].Emergencies, b[i].Validated = other(a[i].Emergencies), other(a[i].Validated)
			}
			at := siteCounts{count.Draw(t, "on site"), count.Draw(t, "refused"), count.Draw(t, "preserved"), count.Draw(t, "forgotten")}
			siteA.towns[town] = at
			siteB.towns[town] = siteCounts{other(at.answers), other(at.refused), other(at.preserved), other(at.forgotten)}
		}
		rowsA, totalA, lengthA := show(a, siteA)
		rowsB, totalB, lengthB := show(b, siteB)
		if !reflect.DeepEqual(rowsA, rowsB) || totalA != totalB || lengthA != lengthB {
			t.Fatalf("%v\n%v %d\n%v\n%v %d", rowsA, totalA, lengthA, rowsB, totalB, lengthB)
		}
		sum := 0
		for _, c := range a {
			sum += c.Answers
			if siteA.keyed {
				sum += siteA.towns[c.Town].answers
			}
		}
		if lengthA < sum {
			t.Fatalf("a list of %d for %d answers", lengthA, sum)
		}
	})
}

// TestParts: from what is shown of a number and of its part nobody computes a part or a rest from 1 to 4: at least two of
// these are always possible, or what is shown says neither.
func TestParts(t *testing.T) {
	t.Parallel()
	type shown struct{ whole, part, of string }
	parts, rests, least := map[shown]map[int]bool{}, map[shown]map[int]bool{}, map[shown]map[int]bool{}
	note := func(in map[shown]map[int]bool, at shown, n int) {
		if in[at] == nil {
			in[at] = map[int]bool{}
		}
		in[at][n] = true
	}
	for whole := range 30 {
		for part := range whole + 1 {
			for of := range part + 1 {
				w := countOf(whole)
				p := partOf(part, w)
				o := partOf(of, p)
				at := shown{w.cell(), p.cell(), o.cell()}
				note(parts, at, part)
				note(rests, at, whole-part)
				note(least, at, part-of)
				for _, s := range []struct {
					span
					n int
				}{{w, whole}, {p, part}, {o, of}} {
					if s.n < s.least || s.n > s.most {
						t.Errorf("%d of %d of %d is shown as %+v", of, part, whole, at)
					}
				}
			}
		}
	}
	for name, all := range map[string]map[shown]map[int]bool{"part": parts, "rest": rests, "rest of the part": least} {
		for at, possible := range all {
			for n := range possible {
				if len(possible) == 1 && n > 0 && n < few {
					t.Errorf("%+v says that the %s is %d", at, name, n)
				}
			}
		}
	}
}

// TestCommit: who has a mandate finds it, and the oversight body tells all other lines from mandates that it does not know.
func TestCommit(t *testing.T) {
	t.Parallel()
	mine, foreign := wire.Hash(sha256.Sum256([]byte("a"))), wire.Hash(sha256.Sum256([]byte("b")))
	list, padding := commit([]wire.Hash{mine, foreign}, 12)
	lines := strings.Fields(string(list))
	if len(lines) != 12 || !slices.IsSorted(lines) || !slices.Contains(lines, hex.EncodeToString(mine[:])) {
		t.Errorf("%s", list)
	}
	known := map[string]bool{hex.EncodeToString(mine[:]): true}
	for _, line := range strings.Fields(string(padding)) {
		seed, err := hex.DecodeString(line)
		if err != nil || len(seed) != 32 {
			t.Fatalf("%s: %v", line, err)
		}
		known[fmt.Sprintf("%x", sha256.Sum256(seed))] = true
	}
	left := slices.DeleteFunc(lines, func(line string) bool { return known[line] })
	if len(left) != 1 || left[0] != hex.EncodeToString(foreign[:]) {
		t.Errorf("left %v", left)
	}
	if again, _ := commit([]wire.Hash{mine, foreign}, 12); bytes.Equal(again, list) {
		t.Error("what fills the list can be foreseen")
	}
	if list, padding := commit(nil, 0); len(list)+len(padding) != 0 {
		t.Errorf("nothing was answered, and the list is %s", list)
	}
}

// TestQuarterOf: quarters begin and end at midnight of the zone, and nothing else is a quarter.
func TestQuarterOf(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"2026Q1": "2026-01-01 00:00 +08:00 – 2026-04-01 00:00 +08:00", "2026Q4": "2026-10-01 00:00 +08:00 – 2027-01-01 00:00 +08:00"} {
		if q, err := quarterOf(text, zone); err != nil || q.span() != want {
			t.Errorf("%s: %s, %v", text, q.span(), err)
		}
	}
	for _, text := range []string{"", "2026", "2026Q0", "2026Q5", "2026q4", "1926Q1", "2026Q4 ", "二〇二六"} {
		if q, err := quarterOf(text, zone); err == nil {
			t.Errorf("%q is %s", text, q.span())
		}
	}
}

// TestWords: each text is there in both languages.
func TestWords(t *testing.T) {
	t.Parallel()
	said := append([]note{title, together, nobodys}, columns...)
	for _, over := range []bool{false, true} {
		said = append(append(said, notes(over, onSite{})...), notes(over, onSite{keyed: true, shut: 2})...)
	}
	han := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	for _, n := range said {
		if !strings.ContainsFunc(n.ZH, han) || n.EN == "" || strings.ContainsFunc(n.EN, han) {
			t.Errorf("%+v", n)
		}
	}
}
