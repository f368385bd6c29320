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
