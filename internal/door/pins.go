package door

import (
	"slices"
	"time"

	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// waitingPIN is a card that was right and waits for its PIN at the reader that it
// was held up at.
type waitingPIN struct {
	head  wire.Header
	who   wire.Who
	query access.Query // asked again when the PIN is there
	until time.Time
	asked bool // a PIN is being checked: its answer makes the entry
}

// pins are the cards that wait for their PIN, one a reader at most. For one
// goroutine.
type pins struct{ waiting []waitingPIN }

func (p *pins) index(reader string) int {
	return slices.IndexFunc(p.waiting, func(w waitingPIN) bool { return w.head.Source == reader })
}

// at returns the card that waits at a reader; nil for none.
func (p *pins) at(reader string) *waitingPIN {
	if i := p.index(reader); i >= 0 {
		return &p.waiting[i]
	}
	return nil
}

// ask has a card wait in the place of another at its reader, which is returned if
// its PIN never came. False where the same card waits, and its PIN is there.
func (p *pins) ask(w waitingPIN) (missed []waitingPIN, ok bool) {
	if old := p.at(w.head.Source); old != nil {
		same := *old.who.Credential == *w.who.Credential
		if same && old.asked {
			return nil, false
		}
		if !same && !old.asked {
			missed = []waitingPIN{*old}
		}
		p.end(w.head.Source)
	}
	p.waiting = append(p.waiting, w)
	return missed, true
}

// end ends the wait at a reader.
func (p *pins) end(reader string) {
	if i := p.index(reader); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
}

// answered ends the wait of a card whose PIN was checked, and reports whether no
// other card waits at that reader by now.
func (p *pins) answered(c waitingPIN) (free bool) {
	w := p.at(c.head.Source)
	if w != nil && w.asked && w.until.Equal(c.until) {
		p.end(c.head.Source)
		return true
	}
	return w == nil
}

// drop ends the wait at a reader, and returns the card unless its PIN is there.
func (p *pins) drop(reader string) (waitingPIN, bool) {
	w := p.at(reader)
	if w == nil || w.asked {
		return waitingPIN{}, false
	}
	dropped := *w
	p.end(reader)
	return dropped, true
}

// expire ends the waits that are over, and returns the cards whose PIN never came.
func (p *pins) expire(now time.Time) (missed []waitingPIN) {
	p.waiting = slices.DeleteFunc(p.waiting, func(w waitingPIN) bool {
		over := !now.Before(w.until)
		if over && !w.asked {
			missed = append(missed, w)
		}
		return over
	})
	return missed
}
