package web

// todo is the list of what is to be done (T1), the same as `gatehouse status` has.
type todo struct{ *Server }

func (t todo) routes() []route { return []route{{"GET /todo", everyRole, t.page}} }

func (t todo) page(v *visit) error {
	st, err := t.watch.now(v.Context())
	if err != nil {
		return err
	}
	return v.show("todo", st.Problems)
}
