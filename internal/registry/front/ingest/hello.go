package ingest

import (
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
)

// helloWork is a hello to be stored; its ack tells the gateway what is stored.
type helloWork struct{ roster.Hello }

func openHello(o Options, g *roster.Gateway, format uint64, payload []byte) (*helloWork, error) {
	hello, err := wire.DecodeHello(format, payload)
	if err != nil {
		return nil, err
	}
	w := &helloWork{roster.Hello{Hello2: hello, Payload: payload, Format: format}}
	fresh, err := o.Roster.Greet(g, &w.Hello)
	if err != nil {
		return nil, err
	}
	if fresh && hello.Clock == wire.ClockNTP { // other clocks may be set by the registry's own time
		o.Clock.Hear(o.Roster.Look(g).Place.Building, time.UnixMilli(hello.Wall), 0)
	}
	o.Downlink.Sender.NewerTrust(g, w.Hello2)
	o.Downlink.Sender.Briefs(g, w.Hello2)
	return w, nil
}

// Store finds out which data that the hello names is not stored here, and requests an ack.
func (w *helloWork) Store(t *commit.Txn, g *roster.Gateway, l *commit.Ledger) error {
	l.Epoch = roster.AnswerEpoch(w.Hello2)
	t.AckCosigned(g, l.Epoch)
	if err := t.Weigh(g, l, w.Cosigned); err != nil {
		return err
	}
	s := t.Roster.Look(g)
	if _, err := setLacking(t, g, l, s, w.Hello2); err != nil {
		return err
	}
	r, err := t.Stored(l.ID, w.Hello.Epoch)
	if err != nil {
		return err
	}
	l.SetShort(w.Next > r.Size(), t.Now)
	if err := w.undo(t, g, s); err != nil {
		return err
	}
	back, err := t.SetBack(l.ID, w.Hello.Epoch, w.Next, w.List)
	if err != nil {
		return err
	}
	if back {
		t.Log.Warn().Str("gateway", g.Address()).Uint64("list", w.List).
			Msg("its disk was rolled back, or it is another machine: lists that it proved since do not count")
	}
	return t.SetHello(l.ID, w.Payload, t.Now)
}

// undo sends a waiting undo to a gateway that still names the undone time, and deletes it if the
// gateway names another.
func (w *helloWork) undo(t *commit.Txn, g *roster.Gateway, s roster.State) error {
	switch {
	case s.Undo.Envelope == nil:
		return nil
	case w.Floor == s.Undo.Floor:
		t.Outcome.Messages = append(t.Outcome.Messages, commit.Message{Topic: s.Place.Down(wire.TypeUndo), Payload: s.Undo.Envelope})
		return nil
	}
	t.Roster.SetUndo(g, roster.Undo{})
	return t.Documents.PutUndo(api.Undo{Building: s.Place.Building, Gateway: s.Place.Gateway})
}

// setLacking finds out whether a hello names something that is unknown here. It reports whether the
// gateway is to hand over what it holds.
func setLacking(t *commit.Txn, g *roster.Gateway, l *commit.Ledger, s roster.State, h wire.Hello2) (asked bool, err error) {
	known := true
	if h.List > 0 {
		if known, err = t.Documents.Knows(s.Place.Building, h.ListHash); err != nil {
			return false, err
		}
	}
	inStep := h.Line == l.Line && h.Records == l.Records // else its own endings are still on their way
	ended := s.Building.Ended
	lacks := !known || inStep && ended != nil && h.Removed > *ended || h.House > s.Building.House.Version
	return t.Roster.SetLacking(g, lacks, h), nil
}

// question is a job without a message: it finds out again whether a gateway has something that is
// unknown here, and asks for it with an ack.
type question struct{}

// Store requests an ack if the gateway has to hand over what it holds.
func (question) Store(t *commit.Txn, g *roster.Gateway, l *commit.Ledger) error {
	s := t.Roster.Look(g)
	asked, err := setLacking(t, g, l, s, s.View.Hello)
	if asked {
		t.AckCosigned(g, l.Epoch)
	}
	return err
}

// noticeWork is an alarm whose entry has not arrived.
type noticeWork struct{ notice wire.Notice }

func openNotice(payload []byte) (*noticeWork, error) {
	w := &noticeWork{}
	if err := wire.Decode(payload, &w.notice); err != nil {
		return nil, err
	}
	_, err := wire.DecodeHeader(w.notice.Header)
	return w, err
}

// Store stores the notice unless its entry is stored.
func (w *noticeWork) Store(t *commit.Txn, _ *roster.Gateway, l *commit.Ledger) error {
	r, err := t.Stored(l.ID, w.notice.Epoch)
	if err != nil || w.notice.Sequence < r.Size() {
		return err // its entry is stored
	}
	return t.Alarm(l, w.notice.Epoch, w.notice.Sequence, w.notice.Header, false)
}
