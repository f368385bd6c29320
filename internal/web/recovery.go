package web

import "gatehouse/internal/web/rescue"

// backups are the recovery code and the gateway's backup, for the owner (S8), and the new
// machine that takes the place of a burned one.
type backups struct{ *Server }

func (b backups) routes() []route {
	at := func() rescue.Backups { return rescue.Backups{Daemon: b.o.Daemon} }
	allow := func(v *visit) func() bool { return func() bool { return b.tries.Allow(v.RemoteAddr) } }
	return []route{
		{"GET /recovery", ownerAlone, answered("recovery", func(v *visit) (rescue.Screen, error) { return at().Show(v.Request) })},
		{"POST /recovery/new", ownerAlone, answered("recovery", func(v *visit) (rescue.Screen, error) { return at().NewCode(v.Request) })},
		{"POST /recovery/rehearse", ownerAlone, answered("recovery", func(v *visit) (rescue.Screen, error) { return at().Rehearse(v.Request, allow(v)) })},
		{"POST /recovery/download", ownerAlone, func(v *visit) error {
			if err := at().Download(v.w, v.Request); err != nil {
				return v.told(err)
			}
			return nil
		}},
		{"GET /restore", settingUp, answered("restore", func(v *visit) (rescue.Screen, error) { return at().Replace(v.Request) })},
		{"POST /restore", settingUp, answered("restore", func(v *visit) (rescue.Screen, error) { return at().Restore(v.Request, allow(v)) })},
	}
}

// answered shows on its screen what comes of a visit, or why nothing does.
func answered(screen string, do func(*visit) (rescue.Screen, error)) func(*visit) error {
	return func(v *visit) error {
		view, err := do(v)
		if err != nil {
			return v.told(err)
		}
		return v.showStatus(view.Status(), screen, view)
	}
}
