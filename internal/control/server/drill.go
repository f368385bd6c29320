package server

import (
	"context"
	"errors"
	"net/http"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/control"
	"gatehouse/internal/journal"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// A fire drill is an emergency that somebody starts at the fire panel and ends on site, like any
// other: nothing here starts or ends one (refusal N11). The drill reads from the journal what
// happened.

func (g proofs) getDrill(r *http.Request, _ socket.None) (any, error) {
	drill := g.book.Drill()
	if drill == nil {
		return nil, socket.Refused(http.StatusNotFound, "gatehouse fire drill begin", "there was no fire drill yet")
	}
	if drill.On {
		if err := g.observe(r.Context(), drill); err != nil {
			return nil, err
		}
	}
	return g.shownDrill(drill), nil
}

func (g proofs) postDrill(r *http.Request, _ socket.None) (any, error) {
	if g.Fire == nil {
		return nil, socket.Refused(http.StatusConflict, "", "this gateway has no fire input")
	}
	if f, _ := g.Fire.Now(); f.Active || f.Blind || f.Latched {
		return nil, socket.Refused(http.StatusConflict, "end that first: gatehouse status says how", "the doors are released by an alarm, which is no drill")
	}
	from := g.Journal.Status().Position
	if err := g.enterNow(r, "", wire.ReasonFireDrill, wire.OutcomeActive); err != nil {
		return nil, err
	}
	if err := g.book.StartDrill(from.Epoch, from.Sequence, g.act(r)); err != nil {
		return nil, notKept(err)
	}
	return g.getDrill(r, socket.None{})
}

func (g proofs) postDrillEnd(r *http.Request, _ socket.None) (any, error) {
	drill := g.book.Drill()
	if drill == nil || !drill.On {
		return nil, socket.Refused(http.StatusConflict, "gatehouse fire drill begin", "no fire drill is on")
	}
	// The entry is first: when it is durable, so are all entries that nobody waited for, as of a
	// lock that was secured a moment ago.
	if err := g.enterNow(r, "", wire.ReasonFireDrill, wire.OutcomeIdle); err != nil {
		return nil, err
	}
	if err := g.observe(r.Context(), drill); err != nil {
		return nil, err
	}
	if err := g.book.EndDrill(drill.Report, g.act(r)); err != nil {
		return nil, notKept(err)
	}
	return g.getDrill(r, socket.None{})
}

// observe reads from the journal what happened in a drill so far.
func (g proofs) observe(ctx context.Context, drill *acceptance.Drill) error {
	report := acceptance.Report{Begun: drill.Report.Begun, By: drill.Report.By}
	for at := (journal.Position{Epoch: drill.Epoch, Sequence: drill.Sequence}); ; {
		entries, next, err := g.Journal.Entries(ctx, at, logBatch)
		if errors.Is(err, journal.ErrGone) {
			return socket.Refused(http.StatusConflict, "begin another: gatehouse fire drill begin", "the log of this drill is not here any more")
		}
		if err != nil || len(entries) == 0 {
			drill.Report = report
			return err
		}
		for _, e := range entries {
			if h, err := wire.DecodeHeader(e.Header); err == nil {
				report.Take(h)
			}
		}
		at = next
	}
}

// shownDrill shows all doors of the house, also those where nothing happened.
func (g proofs) shownDrill(d *acceptance.Drill) control.FireDrill {
	zone := g.Site.Zone()
	out := control.FireDrill{On: d.On, Begun: d.Report.Begun.In(zone), Ended: shownTime(d.Report.Ended, zone), By: d.Report.By}
	for _, id := range g.Site.DoorIDs() {
		did := d.Report.Of(id)
		out.Doors = append(out.Doors, control.FireDrilling{Door: id, Active: shownTime(did.Active, zone), Released: shownTime(did.Released, zone), Idle: shownTime(did.Idle, zone),
			Reset: shownTime(did.Reset, zone), Relocked: shownTime(did.Relocked, zone), Refused: did.Refused, Worked: d.Report.Worked(id)})
	}
	return out
}
