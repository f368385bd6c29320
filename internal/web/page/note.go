package page

import (
	"context"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/web/account"
)

// noteWithin is the timeout of a note.
const noteWithin = 3 * time.Second

// Note records in the gateway's journal who may, or may no longer, use the page. The change is
// already made: if the gateway does not answer, only the page's own log has it.
func (v *Visit) Note(by account.Account, of caller.Caller, ended bool) {
	ctx, cancel := context.WithTimeout(caller.With(context.WithoutCancel(v.Context()), by.Caller()), noteWithin)
	defer cancel()
	if err := control.NoteAccess(ctx, v.page.Daemon, control.Access{Account: of.String(), Ended: ended}); err != nil {
		v.page.Log.Error().Err(err).Stringer("by", by.Caller()).Stringer("of", of).Bool("ended", ended).Msg("who may use the page is not in the gateway's log")
	}
}
