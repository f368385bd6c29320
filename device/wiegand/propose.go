package wiegand

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gatehouse/device"
)

// Proposal is a format that fits all cards that were swiped, for a person to
// choose: formats of one length can't be told apart for sure by bits alone.
type Proposal struct {
	Format  string   // for Lookup and the site file
	Cards   []Fields // of each card, in the order given: compare with what is printed
	Checks  int      // bits of every card that the format checks, and that are right; 0: it takes anything
	Swapped bool     // fits only inverted bits: D0 and D1 are exchanged
	Why     []string // for people: what speaks for it and against it
	Rivals  []string // no swipe tells it from these, only the number printed on a card
	Matched string   // what of it is the printed number, see Match

	against int // remarks in Why that make it unlikely
	idle    int // bits that it does not use, and that are zero on all cards
	rank    int // in the table
}

// Propose lists the formats that fit all of the cards, best first: what checks
// most, then what is usual, as one facility for a whole house. Swipe three or
// more different cards. The last is always RAW and a number: any bits of that
// length, which opens doors as well as any other, since people are matched by all
// bits of their card. There is none for cards of different lengths, or of less
// than 16 or more than 256 bits. Advice says what to do next.
func Propose(cards []device.Card) []Proposal {
	if len(cards) == 0 || mixed(cards) {
		return nil
	}
	var all []Proposal
	for i := range table {
		if f := &table[i]; f.fits(cards) {
			all = append(all, f.propose(cards))
		}
	}
	most := 0
	for _, p := range all {
		most = max(most, p.Checks)
	}
	all = append(all, swapped(cards, most)...)
	slices.SortFunc(all, func(a, b Proposal) int {
		return cmp.Or(cmp.Compare(b.Checks, a.Checks), cmp.Compare(a.against, b.against), cmp.Compare(b.idle, a.idle), cmp.Compare(a.rank, b.rank))
	})
	rivals(all)
	if f, ok := Lookup(fmt.Sprint(raw, cards[0].Len())); ok {
		p := f.propose(cards)
		p.Why = []string{"takes any bits of this length: doors work, but the number may not be the printed one"}
		all = append(all, p)
	}
	return all
}

// mixed tells that the cards have different lengths.
func mixed(cards []device.Card) bool {
	return slices.ContainsFunc(cards, func(c device.Card) bool { return c.Len() != cards[0].Len() })
}

func (f *Format) fits(cards []device.Card) bool {
	return !slices.ContainsFunc(cards, func(c device.Card) bool { return c.Len() != f.Bits || !f.holds(c) })
}

// swapped proposes formats that fit the inverted cards and check more bits than
// those that fit as it is.
func swapped(cards []device.Card, most int) (all []Proposal) {
	inverted := make([]device.Card, len(cards))
	for i, c := range cards {
		inverted[i] = inverse(c)
	}
	for i := range table {
		if f := &table[i]; f.checks() > most && f.fits(inverted) {
			p := f.propose(inverted)
			p.Swapped = true
			p.Why = append([]string{"fits only with D0 and D1 exchanged"}, p.Why...)
			all = append(all, p)
		}
	}
	return all
}

// checks counts the bits that a card can't have by chance.
func (f *Format) checks() int {
	n := len(f.parity) + len(f.fixed) + f.xorWidth
	if f.facility.only != 0 {
		n += len(f.facility.list)
	}
	return n
}

// propose weighs a format that fits.
func (f *Format) propose(cards []device.Card) Proposal {
	p := Proposal{Format: f.Name, Checks: f.checks(), rank: slices.Index(Names(), f.Name)}
	for _, c := range cards {
		p.Cards = append(p.Cards, f.split(c))
	}
	different := distinct(cards)
	if p.Checks == 0 {
		p.Why = append(p.Why, fmt.Sprintf("takes any %d bits: nothing in them is checked", f.Bits))
	} else {
		p.Why = append(p.Why, fmt.Sprintf("%s in %s (%s by chance)",
			count(p.Checks, "check is right", "checks are right"), count(different, "card", "different cards"), chance(p.Checks*different)))
	}
	if f.blind() {
		p.Why = append(p.Why, "with D0 and D1 exchanged it would look as right: compare the number")
	}
	p.idle = f.idle(cards)
	if p.idle > 3 {
		p.Why = append(p.Why, fmt.Sprint("the ", p.idle, " bits that it does not use are zero"))
	}
	for _, remark := range f.unusual(p.Cards, cards) {
		p.Why = append(p.Why, remark)
		p.against++
	}
	if different > 1 && p.against == 0 && f.facility.list != nil && f.facility.only == 0 {
		p.Why = append(p.Why, "one facility on all cards")
		p.against-- // better than no facility at all
	}
	return p
}

// unusual tells what does not fit cards of one house, with as many words.
func (f *Format) unusual(all []Fields, cards []device.Card) (remarks []string) {
	limits := f.Limits()
	var facility, above, unused bool
	for i, v := range all {
		facility = facility || v.Facility != all[0].Facility || v.OEM != all[0].OEM
		above = above || v.Facility > limits.Facility || v.Issue > limits.Issue || v.OEM > limits.OEM || limits.number().less(v.number())
		unused = unused || f.unused(cards[i]) > 0
	}
	if facility {
		remarks = append(remarks, "the facility is not the same on all cards: unusual in one house")
	}
	if above {
		remarks = append(remarks, "a number is higher than the maker issues")
	}
	if unused {
		remarks = append(remarks, "bits are set for which it has no use")
	}
	return remarks
}

// idle counts the bits that the format does not use if they are zero on all
// cards, else it is 0.
func (f *Format) idle(cards []device.Card) int {
	if slices.ContainsFunc(cards, func(c device.Card) bool { return f.unused(c) > 0 }) {
		return 0
	}
	return f.unused(inverse(oneBit(f.Bits, f.Bits)))
}

// blind tells that a card with all bits inverted passes all checks.
func (f *Format) blind() bool {
	return f.checks() > 0 && len(f.fixed) == 0 && f.facility.only == 0 && !f.card.bcd &&
		(f.xorWidth == 0 || f.Bits/f.xorWidth%2 == 0) &&
		!slices.ContainsFunc(f.parity, func(p parity) bool { return len(p.over)%2 == 0 })
}

// rivals finds for each proposal those with the same checks, or as none. What is
// the same in all is said so: there either will do.
func rivals(all []Proposal) {
	for i := range all {
		p := &all[i]
		f, _ := Lookup(p.Format)
		for _, other := range all {
			g, _ := Lookup(other.Format)
			switch {
			case p.Format == other.Format || p.Swapped != other.Swapped || f.signature() != g.signature():
			case slices.Equal(p.Cards, other.Cards) && slices.Equal(f.facility.list, g.facility.list) && slices.Equal(f.card.list, g.card.list):
				p.Why = append(p.Why, "the same as "+other.Format+": either will do")
			default:
				p.Rivals = append(p.Rivals, other.Format)
			}
		}
		if len(p.Rivals) > 0 {
			p.Why = append(p.Why, "no swipe tells it from "+strings.Join(p.Rivals, ", ")+": compare the printed number")
		}
	}
}

// signature is the same for formats that pass the same cards.
func (f *Format) signature() string {
	return fmt.Sprint(f.parity, f.fixed, f.xorWidth, f.facility.only, f.card.bcd)
}

// distinct counts the different cards: one that was swiped twice proves nothing more.
func distinct(cards []device.Card) int {
	seen := make(map[device.Card]bool, len(cards))
	for _, c := range cards {
		seen[c] = true
	}
	return len(seen)
}

// series joins names as a sentence does: "a, b and c".
func series(first string, more []string) string {
	last := len(more) - 1
	return strings.Join(append([]string{first}, more[:last]...), ", ") + " and " + more[last]
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

// chance says two to the power of -n.
func chance(n int) string {
	if n >= 20 {
		return "less than 1 in a million"
	}
	return fmt.Sprint("1 in ", 1<<n)
}

// Advice says in plain words what to do after these swipes.
func Advice(cards []device.Card, proposals []Proposal) string {
	switch {
	case len(cards) == 0:
		return "Swipe a card."
	case mixed(cards):
		return "The swipes have different numbers of bits: cards of several kinds, or noise on the wires. Swipe one kind; if one card gives different lengths, look at ground and shield."
	case cards[0].Len() < minRaw:
		return "So few bits are a key of a keypad, not a card."
	case len(proposals) == 0:
		return "No format shows the printed number. Is it the number of this card?"
	}
	return advise(cards, proposals)
}

// advise is Advice where some format fits.
func advise(cards []device.Card, proposals []Proposal) string {
	best := proposals[0]
	switch rest := others(proposals); {
	case best.Matched != "" && len(rest) == 0:
		return best.Format + " shows the printed number."
	case best.Matched != "":
		return series(best.Format, rest) + " show the printed number. Type that of another card, or take the first."
	case len(proposals) == 1 && best.Format == rawFormat(cards[0].Len()).Name:
		return fmt.Sprintf("No format of %d bits is known. %s opens doors all the same. If one card gives different lengths, look at the wires.",
			cards[0].Len(), best.Format)
	case distinct(cards) < 3:
		return "Swipe more different cards, three at least: a few bits are right by chance."
	case best.Checks == 0:
		return "Only the number printed on a card tells the right format: none that checks anything fits. " +
			proposals[len(proposals)-1].Format + " opens doors in any case."
	case best.Checks*distinct(cards) < 6:
		return best.Format + " fits, but could by chance: swipe more different cards."
	case best.Swapped:
		return "The bits fit " + best.Format + " only when inverted: D0 and D1 look exchanged. Exchange the two wires and swipe again."
	case len(best.Rivals) > 0:
		return series(best.Format, best.Rivals) +
			" have the same checks: only the number printed on a card tells which it is. Doors work with each."
	}
	return best.Format + " fits."
}

// others names the formats after the first that are another view of the card.
func others(proposals []Proposal) (names []string) {
	for _, p := range proposals[1:] {
		if p.Matched == proposals[0].Matched && !slices.Equal(p.Cards, proposals[0].Cards) {
			names = append(names, p.Format)
		}
	}
	return names
}
