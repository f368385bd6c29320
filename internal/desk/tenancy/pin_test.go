package tenancy

import "testing"

// TestPINs: a PIN has four to eight digits, and is none of those that are tried first: one digit
// again and again, or digits that count up or down.
func TestPINs(t *testing.T) {
	for _, text := range []string{"123", "123456789", "12a4", "-123", "1111", "99999999", "0123", "1234", "23456789", "4321", "3210", "87654321", "９８７６"} {
		if p, err := NewPIN(text); err == nil {
			t.Errorf("%q is taken: %v", text, p != nil)
		}
	}
	if p, err := NewPIN(" "); p != nil || err != nil {
		t.Errorf("none: %v, %v", p, err)
	}
	for _, text := range []string{"2580", "1212", "0124", "02580258", "１３７９"} {
		p, err := NewPIN(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if right, err := p.Is("2580"); err != nil || right != (text == "2580") {
			t.Errorf("%q is 2580: %v, %v", text, right, err)
		}
	}
}
