package laws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/simulate/report"
)

// Views are what can be seen of the house by those who may not know who comes and goes, by
// name: law W7.
type Views map[string]string

// Keep keeps a view, or that there is none.
func (v Views) Keep(name string, o Order, view any, err error) {
	v[name] = comparable(view, o) + fmt.Sprint(err != nil)
}

// Compared are the breaches of law W7: views that differ, by name.
func Compared(one, two Views) (all []report.Breach) {
	for _, name := range slices.Sorted(maps.Keys(one)) {
		if text, other := one[name], two[name]; text != other {
			all = append(all, report.Breach{Law: "W7", Text: fmt.Sprintf("%s tells who walked: %s", name, difference(text, other))})
		}
	}
	return all
}

// difference is the first place at which two texts differ.
func difference(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	cut := func(s string) string { return s[max(0, min(n-60, len(s))):min(n+60, len(s))] }
	return fmt.Sprintf("%q and %q", cut(a), cut(b))
}

// random are names by chance, in base64 and in hex. A hash in base64 may begin as
// one in hex does.
var random = regexp.MustCompile(`[A-Za-z0-9+/]{24,}=*|[0-9a-f]{8,}`)

// Order says whether the rows of a view stand in an order that means something.
type Order int

const (
	ByID   Order = iota // in the order of names by chance
	AsMade              // as it happened: that is compared too, but for what is of one instant
)

// comparable is a view as text with no chance in it. Rows that stand by names
// made by chance are put in the order of what else they say, and so are those of one
// instant; then each name is numbered by its first place.
func comparable(v any, o Order) string {
	text, _ := json.Marshal(v)
	var tree any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	_ = d.Decode(&tree) // of what was encoded just now
	if o == ByID {
		sortRows(tree)
	} else if rows, ok := tree.([]any); ok {
		sortInstants(rows)
	}
	text, _ = json.Marshal(tree)
	seen := map[string]string{}
	return random.ReplaceAllStringFunc(string(text), func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("#%d", len(seen)+1)
		}
		return seen[id]
	})
}

// sortInstants sorts the rows of each gateway and instant by their text without names by
// chance. Parts of a gateway that do not wait for each other make them, a door its release
// and the desk that the tenant was told, so that chance puts them in order: what numbers
// them stays in its place.
func sortInstants(rows []any) {
	same := func(a, b any) bool {
		one, _ := a.(map[string]any)
		two, _ := b.(map[string]any)
		return one["time"] != nil && one["time"] == two["time"] && one["gateway"] == two["gateway"]
	}
	for from, to := 0, 0; from < len(rows); from = to {
		for to = from + 1; to < len(rows) && same(rows[from], rows[to]); to++ {
		}
		if to-from > 1 {
			sortInstant(rows[from:to])
		}
	}
}

func sortInstant(rows []any) {
	numbers := [...]string{"sequence", "counter"}
	was := make([][len(numbers)]any, len(rows))
	for i, r := range rows {
		row := r.(map[string]any)
		for n, name := range numbers {
			was[i][n] = row[name]
			delete(row, name)
		}
	}
	slices.SortStableFunc(rows, byMasked)
	for i, r := range rows {
		row := r.(map[string]any)
		for n, name := range numbers {
			if was[i][n] != nil {
				row[name] = was[i][n]
			}
		}
	}
}

// sortRows sorts all rows in a tree of JSON by their text without names by chance.
func sortRows(tree any) {
	switch t := tree.(type) {
	case map[string]any:
		for _, v := range t {
			sortRows(v)
		}
	case []any:
		for _, v := range t {
			sortRows(v)
		}
		slices.SortStableFunc(t, byMasked)
	}
}

func byMasked(a, b any) int { return strings.Compare(masked(a), masked(b)) }

func masked(v any) string {
	text, _ := json.Marshal(v)
	return random.ReplaceAllString(string(text), "#")
}
