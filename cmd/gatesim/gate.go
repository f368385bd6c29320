package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

// gateReaders are an OSDP reader and a scanner of codes, each on a
// pseudo-terminal of its own.
type gateReaders struct {
	card *osdptest.Reader
	line *osdptest.Line
	code *devicetest.SerialModule
	end  context.CancelFunc
	over sync.WaitGroup
}

// newGateReaders plays readers as they are delivered: the OSDP reader has the
// key that everybody knows.
func newGateReaders(dir string) (*gateReaders, error) {
	g := &gateReaders{card: osdptest.NewReader(osdptest.Config{Address: 3, Install: true, Enforce: true,
		Vendor: [3]byte{0x00, 0x53, 0x49}, Model: 1, Version: 1, Serial: 1, Firmware: [3]byte{1, 0, 0}})}
	var err error
	if g.line, err = osdptest.NewTerminal(filepath.Join(dir, "tty-gate"), g.card); err != nil {
		return nil, err
	}
	if g.code, err = devicetest.NewSerialTerminal(filepath.Join(dir, "tty-qr"), "code"); err != nil {
		return nil, errors.Join(err, g.line.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.end = cancel
	g.over.Go(func() { _ = g.line.Run(ctx); _ = g.line.Close() })
	return g, nil
}

func (g *gateReaders) close() error {
	g.end()
	g.over.Wait()
	return g.code.Close()
}

// paired reports whether the OSDP reader has a key of its own.
func (g *gateReaders) paired() bool { return g.card.State().Key != nil }

// polls is how often the OSDP reader was asked what there is to report.
func (g *gateReaders) polls() int { return g.card.State().Commands[0x60] }

// giveKey puts a key into reader and gateway, as somebody does who pairs them at
// a desk.
func (g *gateReaders) giveKey(dir string) error {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	g.card.SetKey(&key, false)
	folder := filepath.Join(dir, "state", "readers")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, gateDoor+"-in.key"), fmt.Appendf(nil, "%x\n", key), 0o600)
}

// line is how the line of the gate's OSDP reader is protected.
func (p *play) line() string {
	all, err := p.client.Readers(p.ctx)
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
func (p *play) pairing() error {
	p.gate.card.Present(device.CardOf(p.people.residents[0].card, 40))
	p.say(gateDoor, "the OSDP reader has the key that everybody knows: a card held up there counts for nothing")
	p.world.add(gateDoor, fault+"no_key", 1)
	p.world.add(gateDoor, faultOver+"no_key", 1)
	p.world.add(gateDoor, fault+"stale_card", 1)
	for _, what := range []string{"install_opened", "key_sent", "key_proved", "install_closed"} {
		p.world.add(gateDoor, readerKey+what, 1)
	}
	p.world.add(gateDoor, online, 1)
	if err := p.logged(row{gateDoor, fault + "no_key"}); err != nil { // the window would come before it
		return err
	}
	if err := p.client.Install(p.ctx, gateDoor, "in", control.Install{Minutes: 1}); err != nil {
		return err
	}
	if err := p.until("the gate's reader is paired", func() bool { return p.line() == control.LineSecured }); err != nil {
		return err
	}
	for _, what := range []string{readerKey + "install_closed", fault + "stale_card"} {
		if err := p.logged(row{gateDoor, what}); err != nil {
			return err
		}
	}
	p.say(gateDoor, "gatehouse reader install gate in: it has a random key of its own now, its line is encrypted, the window is closed again. The card of before is too old")
	// Who comes next counts once the reader has been heard to have nothing to report:
	// with the poll after that one.
	before := p.gate.polls()
	if err := p.until("the gate's reader has nothing to report", func() bool { return p.gate.polls() >= before+2 }); err != nil {
		return err
	}
	return p.comeIn(p.people.residents[6], gateDoor)
}

// enemy: somebody at the cable sends a resident's card in clear text.
func (p *play) enemy() error {
	r := row{gateDoor, fault + "clear_text"}
	p.world.add(gateDoor, r.what, 1)
	p.gate.card.Misbehave(osdptest.Mishap{Fault: osdptest.ClearCard, Times: 1, Command: 0x60,
		Card: device.CardOf(p.people.residents[7].card, 40)})
	if err := p.logged(r); err != nil {
		return err
	}
	if p.world.lock(gateDoor).released {
		return errors.New("the gate opened for a card in clear text")
	}
	if err := p.until("the gate's line is secured again", func() bool { return p.line() == control.LineSecured }); err != nil {
		return err
	}
	p.say(gateDoor, "somebody at the cable sends a resident's card in clear text: refused, an alarm, and a new session")
	for _, open := range []bool{true, false} {
		r := row{gateDoor, map[bool]string{true: fault, false: faultOver}[open] + "tamper"}
		p.world.add(r.door, r.what, 1)
		p.gate.card.SetTamper(open)
		if err := p.logged(r); err != nil {
			return err
		}
	}
	p.say(gateDoor, "somebody opens the reader's case, and closes it: both in the log")
	return p.comeIn(p.people.residents[7], gateDoor)
}

// passes: a tenant's phone stands for the card, once.
func (p *play) passes() error {
	who := p.people.residents[8]
	pass := wire.Pass{Tenancy: who.tenancy, From: uint32(time.Now().Unix())}
	pass.Until = pass.From + 5*60
	_, _ = rand.Read(pass.ID[:]) // never fails
	text, err := pass.Sign("lane-7", 0, p.keys.issuer)
	if err != nil {
		return err
	}
	p.world.add(gateDoor, granted, 1)
	at := p.board.Now()
	if err := p.gate.code.Scan(p.ctx, text); err != nil {
		return err
	}
	took, err := p.opens("a pass", gateDoor, at)
	if err != nil {
		return err
	}
	p.say(gateDoor, "%s forgot the card and shows a pass on the phone, %s as a QR code: released after %v", who.name, amount.Of(len(text), "letter"), took.Round(time.Millisecond))
	if err := p.through(gateDoor); err != nil {
		return err
	}
	if err := p.wait(1600 * time.Millisecond); err != nil { // it was away from the scanner
		return err
	}
	r := row{gateDoor, denied + "replayed"}
	p.world.add(r.door, r.what, 1)
	if err := errors.Join(p.gate.code.Scan(p.ctx, text), p.logged(r)); err != nil {
		return err
	}
	p.say(gateDoor, "a photograph of it a moment later: stays locked, a pass opens once")
	return nil
}

// pinOf are the PINs that tenants of the second building choose, by flat.
var pinOf = map[string]string{"1A": "4711"}

// cardAndPIN: the gate asks for the PIN of who has one.
func (p *second) cardAndPIN() error {
	with, without := p.people.residents[0], p.people.residents[1]
	if err := p.comeIn(without, gateDoor); err != nil {
		return err
	}
	for _, c := range []struct {
		keys   string
		reason string
	}{{"0815#", "wrong_pin_at_door"}, {"4711#", ""}} {
		if err := p.typesAfterCard(with, c.keys, c.reason); err != nil {
			return err
		}
	}
	p.say(gateDoor, "%s has a PIN: card and wrong PIN, locked; card and PIN, in. %s chose none, and comes in by the card", with.name, without.name)
	return p.inStep("the registry has what happened at the gate")
}

func (p *second) typesAfterCard(who *person, keys, reason string) error {
	r := row{gateDoor, granted}
	if reason != "" {
		r.what = denied + reason
	}
	p.world.add(r.door, r.what, 1)
	err := p.present(who, gateDoor, func(at time.Duration) error {
		if err := p.wait(300 * time.Millisecond); err != nil {
			return err
		}
		p.gate.card.Press(keys)
		if reason != "" {
			return p.logged(r)
		}
		_, err := p.opens(who.name, gateDoor, at)
		return err
	})
	switch {
	case err != nil:
		return err
	case reason == "":
		return p.through(gateDoor)
	}
	return p.wait(1600 * time.Millisecond) // the card was away
}
