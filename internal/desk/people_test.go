package desk

import (
	"encoding/json"
	"strings"
	"testing"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
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

// TestChildIsRemarked: of somebody under 14 whoever checks in is told that a guardian has to agree,
// before a card is held up; on the fourteenth birthday no more. A clock that can't be trusted tells by
// the time that has come at least.
func TestChildIsRemarked(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1") // its noon is on 2030-03-17
	for _, trusted := range []bool{true, false} {
		o.clock.Trusted = trusted
		for born, child := range map[string]bool{"20160317": false, "20160318": true, "20300301": true, "19900307": false} {
			a := arrival()
			a.Number = bornOn(born)
			remarks, err := o.Judge(o.begin(), a)
			must(t, err)
			if strings.Contains(strings.Join(remarks, " "), "under 14") != child {
				t.Errorf("born %s, clock trusted %v: %q", born, trusted, remarks)
			}
		}
	}
}

// TestChildIsKeptBriefly: of whom the log forgets sooner is known from the check-in on, over a restart, and shown nowhere.
func TestChildIsKeptBriefly(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	var shown []string
	for i, born := range []string{"20160317", "20160318"} {
		done, err := o.arrive(em(uint64(i+1)), func(a *tenancy.Arrival) { a.Number = bornOn(born) })
		must(t, err)
		for range 2 {
			if child := i == 1; o.Doors.KeptBriefly(done.Tenancy.ID) != child {
				t.Errorf("born %s: kept briefly is %v", born, !child)
			}
			o.restart()
		}
		v, err := json.Marshal(done.Tenancy)
		must(t, err)
		shown = append(shown, string(v))
	}
	if strings.Contains(shown[1], "rief") || strings.Contains(shown[0], "rief") {
		t.Errorf("it shows: %s", shown)
	}
}

// TestIssuerHearsOfAChild: the issuer's copy of a check-in says that logs name the tenancy for a shorter time, once the issuer has shown
// that it reads that; the siblings' copy never does.
func TestIssuerHearsOfAChild(t *testing.T) {
	w := newTown(t)
	o := newOffice(t, w, "gw1")
	for i, unclassed := range []bool{true, false} {
		o.unclassed = unclassed
		done, err := o.arrive(em(uint64(i+1)), func(a *tenancy.Arrival) { a.Number = bornOn("20160318") })
		must(t, err)
		r := o.Pending()[i].Record
		plain, err := sealing.Unseal(w.desk, sealing.Change, "lane-7/gw1", r.Desk)
		must(t, err)
		var c wire.Change
		must(t, wire.Decode(plain, &c))
		if c.Tenancy != done.Tenancy.ID || c.Brief == unclassed {
			t.Errorf("an issuer that reads it: %v, it hears: %v", !unclassed, c.Brief)
		}
		if c, err = w.building.OpenRecord(r.House); err != nil || c.Brief {
			t.Errorf("a sibling hears %v, %v", c.Brief, err)
		}
		if !o.KeptBriefly(done.Tenancy.ID) {
			t.Error("the gateway itself does not know it")
		}
	}
}
