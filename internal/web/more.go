package web

// more is what is needed rarely (M1).
type more struct{ *Server }

func (m more) routes() []route { return []route{{"GET /more", everyRole, m.page}} }

func (m more) page(v *visit) error { return v.show("more", m.o.Version) }
