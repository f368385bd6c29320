package wiegand

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gatehouse/device"
)

// Proposal is a format that fits all cards that were swiped. A person chooses among proposals,
// since bits alone do not distinguish all formats of one length.
type Proposal struct {
	Format  string   // for Lookup and the site file
	Cards   []Fields // the numbers of each card, in the order given, to compare with the printed ones
	Checks  int      // checked bits of each card, all of them right; 0: the format accepts any card
	Swapped bool     // only the inverted bits fit: D0 and D1 are swapped
	Why     []string // reasons for and against it, for people
	Rivals  []string // formats that only the number printed on a card distinguishes from it
	Matched string   // which of its numbers is printed on the card; set by whoever compares them

	against int // reasons in Why that make it unlikely
	idle    int // bits that the format does not use, and that are zero on all cards
	rank    int // position in the table
}

// Propose returns the formats that fit all of the cards, best first: most checked bits, then what
// is usual, such as one facility code in the whole house. Three or more different cards are needed
// for a sure answer. The last proposal is always RAW and a number, which accepts any bits of that
// length and opens doors as well as any other, since people are matched by all bits of their card.
// There is none for cards of different lengths, or of less than 16 or more than 256 bits. Advice
// returns what to do next.
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

// mixed reports whether the cards have different lengths.
func mixed(cards []device.Card) bool {
	return slices.ContainsFunc(cards, func(c device.Card) bool { return c.Len() != cards[0].Len() })
}

func (f *Format) fits(cards []device.Card) bool {
	return !slices.ContainsFunc(cards, func(c device.Card) bool { return c.Len() != f.Bits || !f.holds(c) })
}

// swapped returns formats that fit the inverted cards and check more bits than most.
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

// checks returns the number of bits that are right by chance in half of all frames.
func (f *Format) checks() int {
	n := len(f.parity) + len(f.fixed) + f.xorWidth
	if f.facility.only != 0 {
		n += len(f.facility.list)
	}
	return n
}

// propose returns the proposal of a format that fits.
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

// unusual returns what is not as expected in cards of one house, a sentence each.
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

// idle returns the number of bits that the format does not use if they are zero on all cards, else
// 0.
func (f *Format) idle(cards []device.Card) int {
	if slices.ContainsFunc(cards, func(c device.Card) bool { return f.unused(c) > 0 }) {
		return 0
	}
	return f.unused(inverse(oneBit(f.Bits, f.Bits)))
}

// blind reports whether a card passes all checks with all its bits inverted.
func (f *Format) blind() bool {
	return f.checks() > 0 && len(f.fixed) == 0 && f.facility.only == 0 && !f.card.bcd &&
		(f.xorWidth == 0 || f.Bits/f.xorWidth%2 == 0) &&
		!slices.ContainsFunc(f.parity, func(p parity) bool { return len(p.over)%2 == 0 })
}

// rivals sets Rivals of each proposal: formats with the same checks. Formats that split the cards
// in the same way are no rivals: either will do, and Why says so.
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

// signature is the same for formats that accept the same cards.
func (f *Format) signature() string {
	return fmt.Sprint(f.parity, f.fixed, f.xorWidth, f.facility.only, f.card.bcd)
}

// distinct returns the number of different cards: a second swipe of the same card proves nothing.
func distinct(cards []device.Card) int {
	seen := make(map[device.Card]bool, len(cards))
	for _, c := range cards {
		seen[c] = true
	}
	return len(seen)
}

// series joins names: "a, b and c".
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

// chance returns the probability 2^-n in words.
func chance(n int) string {
	if n >= 20 {
		return "less than 1 in a million"
	}
	return fmt.Sprint("1 in ", 1<<n)
}

// Advice returns the next step for the installer after these swipes, in English.
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

// others returns the formats after the first that also have the printed number, but split the cards
// differently.
func others(proposals []Proposal) (names []string) {
	for _, p := range proposals[1:] {
		if p.Matched == proposals[0].Matched && !slices.Equal(p.Cards, proposals[0].Cards) {
			names = append(names, p.Format)
		}
	}
	return names
}
