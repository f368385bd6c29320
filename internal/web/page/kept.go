package page

// kept is what a tenant is told of the own data.
type kept struct{ v *Visit }

// Told returns its sentences for this house. Without the daemon nobody knows what is true of it, so
// the screen then tells of that instead.
func (k kept) Told() ([]string, error) {
	st, err := k.v.page.Watch.Now(k.v.Context())
	if err != nil {
		return nil, k.v.Told(err)
	}
	return k.v.page.Words.Kept(k.v.Lang, st.Registry == "none", st.Journal.WhoDays), nil
}
