package desk

import (
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// TestFlatsAsWritten: however a flat is written, it is the one of the building's list,
// or of an earlier tenancy; and digits and short names in it say nothing.
func TestFlatsAsWritten(t *testing.T) {
	listed, free := newOffice(t, newTown(t), "gw1"), newOffice(t, newTown(t), "gw1")
	reg := listed.keyring.Keys.Registry()
	reg.House.Flats = []string{"3-2-1201", "3A", "3B", "Lilac House 4", "王府园3栋"}
	p := person("Testperson")
	for text, want := range map[string]string{"３－２－１２０１": "3-2-1201", "3 2 1201": "3-2-1201", "3b": "3B", "３Ａ": "3A", "lilac house 4": "Lilac House 4"} {
		if got, err := listed.judgeFlat(reg, text, p); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := listed.judgeFlat(reg, "3-21201", p); err == nil {
		t.Error("another flat")
	}
	reg.House.Flats = nil
	for _, c := range [][2]string{{"3B", "B"}, {"王府园3栋", "王"}, {"Lilac House 4", "Li"}, {"12-1201-02床", "Testperson"}, {"幸福花园小区南区三期十五栋二单元十二层一号房", "幸"}} {
		if got, err := free.judgeFlat(reg, c[0], person(c[1])); err != nil || got != c[0] {
			t.Errorf("flat %q of %q: %q, %v", c[0], c[1], got, err)
		}
	}
	if _, err := free.judgeFlat(reg, "Testperson's", p); err == nil {
		t.Error("a name stays on the gateway")
	}
	free.book.Tenancies = append(free.book.Tenancies, &tenancy{Flat: "3-2-1201"})
	if got, err := free.judgeFlat(reg, "3.2.1201", p); err != nil || got != "3-2-1201" {
		t.Errorf("beside an earlier tenancy: %q, %v", got, err)
	}
}

// TestLabelsOfPeople: a label that is the tenant's name in another spelling is refused.
func TestLabelsOfPeople(t *testing.T) {
	for _, c := range [][2]string{{"zhang wei", "Zhang Wei"}, {"Wei Zhang", "Zhang Wei"}, {"张伟", "张 伟"}, {"张先生", "张伟"}, {"138/0000/0000", "张伟"}, {"٤٤٠٠٠٠", "张伟"}, {"ok\u202eXX", "张伟"}} {
		if got, err := judgeLabel(c[0], person(c[1])); err == nil || strings.Contains(err.Error(), c[1]) {
			t.Errorf("label %q of %q: %q, %v", c[0], c[1], got, err)
		}
	}
}

// TestFoundAsWritten: a tenancy is found by any spelling of its flat.
func TestFoundAsWritten(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1), func(a *Arrival) { a.Flat = "３b" })
	must(t, err)
	if done.Tenancy.Flat != "3B" {
		t.Errorf("flat %q", done.Tenancy.Flat)
	}
	for _, text := range []string{"3B", "3b", "３Ｂ", "3\u00a0B", "LEFT door"} {
		if found, err := o.lookup(text, nil); err != nil || found.Flat != "3B" {
			t.Errorf("%q: %v, %v", text, found, err)
		}
	}
	if _, err := o.lookup("-", nil); err == nil {
		t.Error("found by nothing")
	}
}

// TestRemarksOnThePerson: what nobody could check is said to who can compare.
func TestRemarksOnThePerson(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1), func(a *Arrival) { a.Name, a.Document, a.Number = "王\ue863", "other", "4400001" })
	must(t, err)
	if all := strings.Join(done.Remarks, "\n"); !strings.Contains(all, "U+4DAE") || !strings.Contains(all, "no rule") {
		t.Error(all)
	}
}

func person(name string) wire.Person { return wire.Person{Name: name, Number: invented()} }
