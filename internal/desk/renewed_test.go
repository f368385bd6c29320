package desk

import (
	"slices"
	"testing"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// reinstate ends all grants of the list and makes new ones in their place.
func (r *registry) reinstate() {
	var fresh []wire.Grant
	for i := range r.grants {
		g := r.grants[i]
		r.grants[i].State = wire.GrantRevoked
		g.ID[0] ^= 0xff
		fresh = append(fresh, g)
	}
	r.grants = slices.Concat(r.grants, fresh)
}

// TestReinstated: a tenancy that the registry has reinstated is active at the desk,
// whether a desk or a list had ended it and whether a notice ran; and what is done to
// it then is done to its new grants.
func TestReinstated(t *testing.T) {
	for _, ended := range []string{"at the desk", "by the list", "on notice"} {
		o := newOffice(t, newTown(t), "gw1")
		done, err := o.arrive(em(1))
		must(t, err)
		id := done.Tenancy.ID
		r := &registry{o: o}
		r.take()
		r.issue()
		o.upkeep(t.Context())
		switch ended {
		case "at the desk":
			_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: id.String(), Proof: "card", Cause: "moved_out"}, cards(em(1)), nil)
		case "on notice":
			_, err = o.landlord(tenancy.CheckOut, 0)
		}
		must(t, err)
		if l := o.keyring.Records.All(); len(l) > 0 {
			r.seen[0].Number = l[len(l)-1].Record.Number
		}
		r.reinstate()
		r.issue()
		for range 2 {
			if v, err := o.Find(id.String()); err != nil || v.State != tenancy.Active || v.Ended != 0 || v.Notice != 0 || o.OnNotice(id) && ended != "on notice" {
				t.Errorf("ended %s: %+v, %v", ended, v, err)
			}
			o.wants("front", em(1), wire.ReasonGranted)
			o.upkeep(t.Context())
			if o.OnNotice(id) {
				t.Errorf("ended %s: its tenant is told of a notice", ended)
			}
			o.restart()
		}
		_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: id.String(), Proof: "card", Cause: "moved_out"}, cards(em(1)), nil)
		must(t, err)
		o.wants("front", em(1), wire.ReasonRevoked)
		o.upkeep(t.Context())
		if v, _ := o.Find(id.String()); v.State != tenancy.Ended {
			t.Errorf("ended %s, reinstated and ended again: %+v", ended, v)
		}
	}
}
