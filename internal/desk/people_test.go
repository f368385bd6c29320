package desk

import (
	"strings"
	"testing"

	"gatehouse/internal/desk/tenancy"
)

// TestFoundAsWritten: a tenancy is found by any spelling of its flat.
func TestFoundAsWritten(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1), func(a *tenancy.Arrival) { a.Flat = "３b" })
	must(t, err)
	if done.Tenancy.Flat != "3B" {
		t.Errorf("flat %q", done.Tenancy.Flat)
	}
	for _, text := range []string{"3B", "3b", "３Ｂ", "3\u00a0B", "LEFT door"} {
		if found, err := o.Desk.book.lookup(text, nil, o.clock); err != nil || found.Lease.Flat != "3B" {
			t.Errorf("%q: %v, %v", text, found, err)
		}
	}
	if _, err := o.Desk.book.lookup("-", nil, o.clock); err == nil {
		t.Error("found by nothing")
	}
}

// TestRemarksOnThePerson: what nobody could check is said to who can compare.
func TestRemarksOnThePerson(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1), func(a *tenancy.Arrival) { a.Name, a.Document, a.Number = "王\ue863", "other", "4400001" })
	must(t, err)
	if all := strings.Join(done.Remarks, "\n"); !strings.Contains(all, "U+4DAE") || !strings.Contains(all, "no rule") {
		t.Error(all)
	}
}
