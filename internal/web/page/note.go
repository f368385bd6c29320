package page

import (
	"context"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/web/account"
)

// noteWithin is how long the page waits for the gateway to take a note.
const noteWithin = 3 * time.Second

// Note puts into the gateway's log who may use the page, or no more. It is done already: a
// gateway that does not answer misses it, and the page's own log says so.
func (v *Visit) Note(by account.Account, of caller.Caller, ended bool) {
	ctx, cancel := context.WithTimeout(caller.With(context.WithoutCancel(v.Context()), by.Caller()), noteWithin)
	defer cancel()
	if err := control.NoteAccess(ctx, v.page.Daemon, control.Access{Account: of.String(), Ended: ended}); err != nil {
		v.page.Log.Error().Err(err).Stringer("by", by.Caller()).Stringer("of", of).Bool("ended", ended).Msg("who may use the page is not in the gateway's log")
	}
}
