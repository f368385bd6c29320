package tenancy

import (
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

func person(name string) wire.Person { return wire.Person{Name: name, Number: "440000199003071237"} }

// TestFlatsAsWritten: however a flat is written, it is the one of the building's list,
// or of an earlier tenancy; and digits and short names in it say nothing.
func TestFlatsAsWritten(t *testing.T) {
	flats := []string{"3-2-1201", "3A", "3B", "Lilac House 4", "王府园3栋"}
	p := person("Testperson")
	for text, want := range map[string]string{"３－２－１２０１": "3-2-1201", "3 2 1201": "3-2-1201", "3b": "3B", "３Ａ": "3A", "lilac house 4": "Lilac House 4"} {
		if got, err := judgeFlat(flats, nil, text, p); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := judgeFlat(flats, nil, "3-21201", p); err == nil {
		t.Error("another flat")
	}
	for _, c := range [][2]string{{"3B", "B"}, {"王府园3栋", "王"}, {"Lilac House 4", "Li"}, {"12-1201-02床", "Testperson"}, {"幸福花园小区南区三期十五栋二单元十二层一号房", "幸"}} {
		if got, err := judgeFlat(nil, nil, c[0], person(c[1])); err != nil || got != c[0] {
			t.Errorf("flat %q of %q: %q, %v", c[0], c[1], got, err)
		}
	}
	if _, err := judgeFlat(nil, nil, "Testperson's", p); err == nil {
		t.Error("a name stays on the gateway")
	}
	for _, c := range []string{"440000199003071237", "4400 0019 9003 0712 37", "flat 440000-19900307-1237"} {
		if got, err := judgeFlat(nil, nil, c, p); err == nil || strings.Contains(err.Error(), p.Number) {
			t.Errorf("the number stays on the gateway as flat %q: %v", got, err)
		}
	}
	if got, err := judgeFlat(nil, []string{"3-2-1201"}, "3.2.1201", p); err != nil || got != "3-2-1201" {
		t.Errorf("beside an earlier tenancy: %q, %v", got, err)
	}
}

// TestLabelsOfPeople: a label that is the tenant's name in another spelling, or the number of the
// document, is refused.
func TestLabelsOfPeople(t *testing.T) {
	for _, c := range [][2]string{{"zhang wei", "Zhang Wei"}, {"Wei Zhang", "Zhang Wei"}, {"张伟", "张 伟"}, {"张先生", "张伟"}, {"138/0000/0000", "张伟"}, {"٤٤٠٠٠٠", "张伟"}, {"ok\u202eXX", "张伟"}} {
		if got, err := judgeLabel(c[0], person(c[1])); err == nil || strings.Contains(err.Error(), c[1]) {
			t.Errorf("label %q of %q: %q, %v", c[0], c[1], got, err)
		}
	}
	p := wire.Person{Name: "Testperson", Number: "AB12345"} // too few digits to be refused for them alone
	for _, text := range []string{"AB12345", "ab 123 45", "left door, ab-12345"} {
		if got, err := judgeLabel(text, p); err == nil || strings.Contains(err.Error(), p.Number) {
			t.Errorf("the number stays on the gateway as label %q: %v", got, err)
		}
	}
}
