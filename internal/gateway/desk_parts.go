package gateway

import (
	"fmt"

	"gatehouse/internal/desk"
)

// openDesk makes the desk on what the keyring and the journal hold.
func (g *Gateway) openDesk() (err error) {
	g.desk, err = desk.New(desk.Parts{Dir: g.o.Site.Path("grants"), Keyring: g.keyring, Journal: g.journal, Key: g.gatewayKey,
		Clock: g.deskClock, Log: g.o.Log})
	if err != nil {
		return fmt.Errorf("open desk: %w", err)
	}
	return nil
}

func (g *Gateway) deskClock() desk.Time {
	r := g.clock.read()
	return desk.Time{Now: r.wall.Unix(), Sure: r.interval.Sure, Latest: r.interval.Hi, Trusted: r.trusted, Quality: r.quality}
}
