package setup

import (
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/rescue"
)

// backups has the recovery code and the gateway's backup, for the owner (S8), and the machine that
// replaces a burned one.
type backups struct{ *page.Page }

func (b backups) routes() []page.Route {
	at := func() rescue.Backups { return rescue.Backups{Daemon: b.Daemon} }
	allow := func(v *page.Visit) func() bool {
		return func() bool { return b.Tries.Allow(v.RemoteAddr, v.Account.ID) }
	}
	return []page.Route{
		page.At("GET /recovery", page.OwnerAlone, answered("recovery", func(v *page.Visit) (rescue.Screen, error) { return at().Show(v.Request) })),
		page.At("POST /recovery/new", page.OwnerAlone, answered("recovery", func(v *page.Visit) (rescue.Screen, error) { return at().NewCode(v.Request) })),
		page.At("POST /recovery/rehearse", page.OwnerAlone, answered("recovery", func(v *page.Visit) (rescue.Screen, error) { return at().Rehearse(v.Request, allow(v)) })),
		page.At("POST /recovery/download", page.OwnerAlone, func(v *page.Visit) error {
			if err := at().Download(v.W, v.Request); err != nil {
				return v.Told(err)
			}
			return nil
		}),
		page.At("GET /restore", page.Builders, answered("restore", func(v *page.Visit) (rescue.Screen, error) { return at().Replace(v.Request) })),
		page.At("POST /restore", page.Builders, answered("restore", func(v *page.Visit) (rescue.Screen, error) { return at().Restore(v.Request, allow(v)) })),
	}
}

// answered shows the view that do returns, or its error.
func answered(screen string, do func(*page.Visit) (rescue.Screen, error)) func(*page.Visit) error {
	return func(v *page.Visit) error {
		view, err := do(v)
		if err != nil {
			return v.Told(err)
		}
		return v.ShowStatus(view.Status(), screen, view)
	}
}
