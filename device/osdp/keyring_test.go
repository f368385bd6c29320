package osdp

import (
	"testing"
	"time"

	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// diary is a store that keeps every key that was about to be sent.
type diary struct {
	store
	next []protocol.Key
}

func (d *diary) Save(k Keys) error {
	if k.Next != nil {
		d.next = append(d.next, *k.Next)
	}
	return d.store.Save(k)
}

// TestKeySentOnce: a key that went over the line under the key that everybody
// knows may have been read there, and never goes again.
func TestKeySentOnce(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		p, d := boxed(1), &diary{}
		p.panel.Keys = d
		g := build(t, p).run()
		defer g.stop()
		time.Sleep(time.Second)
		g.heard()
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Reboot, Times: 1, Command: protocol.CmdKeySet})
		if err := g.bus.Readers()[0].Install(time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		sent := 0
		for _, h := range g.heard() {
			if h == "sent" {
				sent++
			}
		}
		if sent != 2 || len(d.next) != 2 || d.next[0] == d.next[1] || !same(g, &d.store) {
			t.Errorf("%d times a key was sent, %d keys were made", sent, len(d.next))
		}
	})
}
