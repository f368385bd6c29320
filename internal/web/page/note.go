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

// NoteAgain is the pause before a note is tried again that the gateway did not take: it serves no
// house yet, or is off.
const NoteAgain = time.Minute

// Note records in the gateway's journal who may, or may no longer, use the page. The change is
// already made: a note that the gateway does not take is kept, and TellNotes tries it again.
func (v *Visit) Note(by account.Account, of caller.Caller, ended bool) {
	log := v.page.Log.With().Stringer("by", by.Caller()).Stringer("of", of).Bool("ended", ended).Logger()
	if err := v.page.Accounts.Notes.Add(account.Change{By: by.Caller().String(), Of: of.String(), Ended: ended}); err != nil {
		log.Error().Err(err).Msg("who may use the page may be missing in the gateway's log")
	}
	if err := v.page.tellNotes(context.WithoutCancel(v.Context())); err != nil {
		log.Warn().Err(err).Msg("who may use the page is not in the gateway's log yet")
	}
}

// TellNotes tells the gateway's log of changes that it has not taken yet, so often, until ctx ends.
func (p *Page) TellNotes(ctx context.Context, every time.Duration) {
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		_ = p.tellNotes(ctx) // Note has logged why it waits
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

func (p *Page) tellNotes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, noteWithin)
	defer cancel()
	return p.Accounts.Notes.Tell(func(c account.Change) error {
		by, err := caller.Parse(c.By)
		if err != nil { // written by nobody here: nothing may wait behind it
			p.Log.Error().Err(err).Msg("who may use the page is missing in the gateway's log")
			return nil
		}
		return control.NoteAccess(caller.With(ctx, by), p.Daemon, control.Access{Account: c.Of, Ended: c.Ended})
	})
}
