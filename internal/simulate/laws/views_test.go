package laws

import "testing"

// TestComparable: names by chance, and the order that they give to rows, make no
// difference; all else does, and the order of a log too.
func TestComparable(t *testing.T) {
	type row struct {
		ID    string   `json:"id"`
		Flat  string   `json:"flat"`
		Cards []string `json:"cards"`
	}
	one := []row{{"00000000aaaa", "1A", []string{"11111111", "door1"}}, {"ffffffffaaaa", "2A", nil}}
	for _, c := range []struct {
		what  string
		other []row
		order Order
		same  bool
	}{
		{"other names, another order", []row{{"00000000bbbb", "2A", nil}, {"ffffffffbbbb", "1A", []string{"door1", "22222222"}}}, ByID, true},
		{"another flat", []row{{"00000000aaaa", "1B", []string{"11111111", "door1"}}, {"ffffffffaaaa", "2A", nil}}, ByID, false},
		{"one name in two places", []row{{"00000000aaaa", "1A", []string{"00000000aaaa", "door1"}}, {"ffffffffaaaa", "2A", nil}}, ByID, false},
		{"one row less", []row{{"00000000aaaa", "1A", []string{"11111111", "door1"}}}, ByID, false},
		{"a log with other names", []row{{"00000000bbbb", "1A", []string{"11111111", "door1"}}, {"ffffffffbbbb", "2A", nil}}, AsMade, true},
		{"a hash that begins like a name", []row{{"01234567GGGGGGGGGGGGGGGGGG+/GG==", "1A", []string{"11111111", "door1"}}, {"ffffffffaaaa", "2A", nil}}, AsMade, true},
		{"a log in another order", []row{{"ffffffffaaaa", "2A", nil}, {"00000000aaaa", "1A", []string{"11111111", "door1"}}}, AsMade, false},
	} {
		a, b := comparable(one, c.order), comparable(c.other, c.order)
		if (a == b) != c.same {
			t.Errorf("%s: same is %v:\n%s\n%s", c.what, a == b, a, b)
		}
	}
}

// TestInstants: chance alone orders what parts of one gateway enter in one instant. The
// order of instants, of two gateways' rows and the numbers of all are compared.
func TestInstants(t *testing.T) {
	type row struct {
		Gateway  string `json:"gateway"`
		Sequence int    `json:"sequence"`
		Time     string `json:"time"`
		Kind     string `json:"kind"`
	}
	one := []row{{"gw1", 1, "10:00", "access"}, {"gw1", 2, "10:01", "told"}, {"gw1", 3, "10:01", "released"}, {"gw2", 1, "10:01", "access"}}
	for _, c := range []struct {
		what  string
		other []row
		same  bool
	}{
		{"one instant in another order", []row{{"gw1", 1, "10:00", "access"}, {"gw1", 2, "10:01", "released"}, {"gw1", 3, "10:01", "told"}, {"gw2", 1, "10:01", "access"}}, true},
		{"two instants in another order", []row{{"gw1", 1, "10:00", "told"}, {"gw1", 2, "10:01", "access"}, {"gw1", 3, "10:01", "released"}, {"gw2", 1, "10:01", "access"}}, false},
		{"another number", []row{{"gw1", 1, "10:00", "access"}, {"gw1", 2, "10:01", "told"}, {"gw1", 4, "10:01", "released"}, {"gw2", 1, "10:01", "access"}}, false},
		{"one told of more", []row{{"gw1", 1, "10:00", "access"}, {"gw1", 2, "10:01", "told"}, {"gw1", 3, "10:01", "told"}, {"gw2", 1, "10:01", "access"}}, false},
		{"at the other gateway", []row{{"gw1", 1, "10:00", "access"}, {"gw1", 2, "10:01", "told"}, {"gw2", 1, "10:01", "released"}, {"gw2", 2, "10:01", "access"}}, false},
	} {
		if a, b := comparable(one, AsMade), comparable(c.other, AsMade); (a == b) != c.same {
			t.Errorf("%s: same is %v:\n%s\n%s", c.what, a == b, a, b)
		}
	}
}

// TestCompared: breaches come in the order of the views' names.
func TestCompared(t *testing.T) {
	one, two := map[string]string{}, map[string]string{}
	for _, name := range []string{"d", "b", "a", "c", "same"} {
		one[name], two[name] = name, name+"!"
	}
	two["same"] = "same"
	text := ""
	for _, b := range Compared(one, two) {
		text += b.Text[:1]
	}
	if text != "abcd" {
		t.Errorf("breaches of %s, not of abcd", text)
	}
}
