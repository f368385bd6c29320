package web

import "gatehouse/internal/control"

// people is the flats and who lives in them (P1): the landlord's own label, never a name.
type people struct{ *Server }

func (p people) routes() []route { return []route{{"GET /people", household, p.page}} }

func (p people) page(v *visit) error {
	all, err := p.o.Daemon.Tenancies(v.Context())
	if err != nil {
		return err
	}
	return v.show("people", peopleView{all})
}

type peopleView struct{ Tenancies []control.Tenancy }
