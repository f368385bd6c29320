package play

import (
	"crypto/rand"
	"errors"
	"time"

	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/device"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/sync/wire/qrpass"
)

// lineOf is how the line of the gate's OSDP reader is protected.
func lineOf(p *Play) string {
	all, err := p.Client.Readers(p.Ctx)
	if err != nil {
		return ""
	}
	for _, r := range all {
		if r.OSDP != nil {
			return r.Line
		}
	}
	return ""
}

// pairing gives the gate's reader a key of its own.
func pairing(p *Play) error {
	p.House.Gate.Card.Present(device.CardOf(p.House.People.Residents[0].Card, 40))
	p.Story.Say(ledger.GateDoor, "the OSDP reader has the key that everybody knows: a card held up there counts for nothing")
	p.House.World.Add(ledger.GateDoor, ledger.Fault+"no_key", 1)
	p.House.World.Add(ledger.GateDoor, ledger.FaultOver+"no_key", 1)
	p.House.World.Add(ledger.GateDoor, ledger.Fault+"stale_card", 1)
	for _, what := range []string{"install_opened", "key_sent", "key_proved", "install_closed"} {
		p.House.World.Add(ledger.GateDoor, ledger.ReaderKey+what, 1)
	}
	p.House.World.Add(ledger.GateDoor, ledger.Window, 1)
	p.House.World.Add(ledger.GateDoor, ledger.Online, 1)
	if err := p.Logged(ledger.Of(ledger.GateDoor, ledger.Fault+"no_key")); err != nil { // the window would come before it
		return err
	}
	if err := p.Client.Install(p.Ctx, ledger.GateDoor, "in", control.Install{Minutes: 1}); err != nil {
		return err
	}
	if err := p.Until("the gate's reader is paired", func() bool { return lineOf(p) == control.LineSecured }); err != nil {
		return err
	}
	for _, what := range []string{ledger.ReaderKey + "install_closed", ledger.Fault + "stale_card"} {
		if err := p.Logged(ledger.Of(ledger.GateDoor, what)); err != nil {
			return err
		}
	}
	p.Story.Say(ledger.GateDoor, "gatehouse reader install gate in: it has a random key of its own now, its line is encrypted, the window is closed again. The card of before is too old")
	// Who comes next counts once the reader has been heard to have nothing to report:
	// with the poll after that one.
	before := p.House.Gate.Polls()
	if err := p.Until("the gate's reader has nothing to report", func() bool { return p.House.Gate.Polls() >= before+2 }); err != nil {
		return err
	}
	return ComeIn(p, p.House.People.Residents[6], ledger.GateDoor)
}

// enemy: somebody at the cable sends a resident's card in clear text.
func enemy(p *Play) error {
	r := ledger.Of(ledger.GateDoor, ledger.Fault+"clear_text")
	p.House.World.Add(ledger.GateDoor, r.What, 1)
	p.House.Gate.Card.Misbehave(osdptest.Mishap{Fault: osdptest.ClearCard, Times: 1, Command: 0x60,
		Card: device.CardOf(p.House.People.Residents[7].Card, 40)})
	if err := p.Logged(r); err != nil {
		return err
	}
	if p.House.World.Lock(ledger.GateDoor).Released {
		return errors.New("the gate opened for a card in clear text")
	}
	if err := p.Until("the gate's line is secured again", func() bool { return lineOf(p) == control.LineSecured }); err != nil {
		return err
	}
	p.Story.Say(ledger.GateDoor, "somebody at the cable sends a resident's card in clear text: refused, an alarm, and a new session")
	for _, open := range []bool{true, false} {
		what := ledger.FaultOver
		if open {
			what = ledger.Fault
		}
		r := ledger.Of(ledger.GateDoor, what+"tamper")
		p.House.World.Add(r.Door, r.What, 1)
		p.House.Gate.Card.SetTamper(open)
		if err := p.Logged(r); err != nil {
			return err
		}
	}
	p.Story.Say(ledger.GateDoor, "somebody opens the reader's case, and closes it: both in the log")
	return ComeIn(p, p.House.People.Residents[7], ledger.GateDoor)
}

// passes: a tenant's phone stands for the card, once.
func passes(p *Play) error {
	who := p.House.People.Residents[8]
	pass := qrpass.Pass{Tenancy: who.Tenancy, From: uint32(time.Now().Unix())}
	pass.Until = pass.From + 5*60
	_, _ = rand.Read(pass.ID[:]) // never fails
	text, err := pass.Sign("lane-7", 0, p.House.Keys.Issuer)
	if err != nil {
		return err
	}
	p.House.World.Add(ledger.GateDoor, ledger.Granted, 1)
	at := p.House.Board.Now()
	if err := p.House.Gate.Code.Scan(p.Ctx, text); err != nil {
		return err
	}
	took, err := p.Opens("a pass", ledger.GateDoor, at)
	if err != nil {
		return err
	}
	p.Story.Say(ledger.GateDoor, "%s forgot the card and shows a pass on the phone, %s as a QR code: released after %v", who.Name, amount.Of(len(text), "letter"), took.Round(time.Millisecond))
	if err := p.Through(ledger.GateDoor); err != nil {
		return err
	}
	if err := p.Wait(1600 * time.Millisecond); err != nil { // it was away from the scanner
		return err
	}
	r := ledger.Of(ledger.GateDoor, ledger.Denied+"replayed")
	p.House.World.Add(r.Door, r.What, 1)
	if err := errors.Join(p.House.Gate.Code.Scan(p.Ctx, text), p.Logged(r)); err != nil {
		return err
	}
	p.Story.Say(ledger.GateDoor, "a photograph of it a moment later: stays locked, a pass opens once")
	return nil
}
