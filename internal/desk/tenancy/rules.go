package tenancy

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/sync/wire"
)

// Actions at the desk, besides a check-in.
const (
	CheckOut = "checkout" // ends by the tenant's word; by the landlord alone a notice
	Dispute  = "dispute"
	Withdraw = "withdraw" // of a notice
	Suspend  = "suspend"  // a lost card
	Resume   = "resume"   // a found one
	Replace  = "replace"  // a lost one, by one that is held up
	AddCard  = "add"      // one more card, or the form in which another reader sees one
	Confirm  = "confirm"  // the tenant takes a card that came on the landlord's word
	SetPIN   = "pin"      // the tenant chooses another one, or the first
	NewCodes = "codes"    // the tenant asks for new one-time codes, which end the old ones
	NewGuest = "guest"    // the tenant gives a visitor a code
)

// Situation is all facts on which a decision at the desk rests. The rules are pure functions of it:
// they return the changes to record, or a Refusal.
type Situation struct {
	Tenancy  *Tenancy
	Standing Standing
	Clock    Time
	Days     int // of a notice
	Proof    wire.Proof
	Cause    wire.Cause
	Card     int                 // number of the card in question; 0: the only one
	Fresh    []wire.CredentialID // of the card that is to be given
	NewPIN   bool                // a new one was typed

	held int // number of the card that was held up for proof; 0: none
}

// rules has the rule of each action. Tenancies that are over do not reach them.
var rules = map[string]func(Situation) ([]wire.Change, error){
	CheckOut: Situation.checkOut, Dispute: Situation.dispute, Withdraw: Situation.withdraw,
	Suspend: Situation.suspend, Resume: Situation.resume, Replace: Situation.replace, AddCard: Situation.add,
	Confirm: Situation.confirm, SetPIN: Situation.setPIN, NewCodes: Situation.newCodes, NewGuest: Situation.newGuest,
}

// Decide applies the rule of an action and completes its changes.
func (s Situation) Decide(action string) ([]wire.Change, error) {
	rule, ok := rules[action]
	if !ok {
		return nil, Refuse("", "no action %q at the desk", action)
	}
	if s.Tenancy.State(s.Standing, s.Clock.Surely()) == Ended {
		return nil, Refuse("check the tenant in anew", "tenancy %s is over", s.Tenancy.Word())
	}
	changes, err := rule(s)
	if err == nil && len(changes) == 0 && action != SetPIN && action != NewCodes && action != NewGuest {
		return nil, Refuse("check the tenant in anew", "tenancy %s has no key any more", s.Tenancy.Word())
	}
	for i := range changes {
		c := &changes[i]
		c.At, c.Clock, c.Proof, c.Tenancy = s.Clock.NotBefore(), s.Clock.Quality, s.Proof, s.Tenancy.ID
		if c.Op == wire.OpNotice || c.Op == wire.OpDispute || c.Op == wire.OpWithdraw {
			c.At = max(c.At, s.Tenancy.marked()+1) // so that two changes within a second have an order
		}
		for _, id := range c.Credentials {
			if k := s.Tenancy.Holding(id); k != nil {
				c.At = max(c.At, k.Changed+1) // likewise
			}
		}
	}
	return changes, err
}

// grants returns the grants of the tenancy's cards, each once.
func (s Situation) grants() (all []wire.ID) {
	for _, c := range s.Standing.Cards {
		if c.State != Ended && !slices.Contains(all, c.grant) {
			all = append(all, c.grant)
		}
	}
	return all
}

func (s Situation) each(c wire.Change) (all []wire.Change) {
	for _, g := range s.grants() {
		c.Grant = g
		all = append(all, c)
	}
	return all
}

// checkOut ends the tenancy at once on the tenant's own word, and by a notice without it.
func (s Situation) checkOut() ([]wire.Change, error) {
	if s.Cause == 0 {
		return nil, Refuse(Causes(), "a check-out needs one of the causes")
	}
	if s.Proof != wire.ProofLandlord {
		return s.each(wire.Change{Op: wire.OpEnd, Cause: s.Cause}), nil
	}
	switch {
	case s.Tenancy.Disputed() && s.Standing.upheld == 0:
		return nil, Refuse("it counts only if the registry upholds it; gatehouse tenancy withdraw takes it back, and then another can be given", "the tenant disputes the notice")
	case s.onNotice():
		return nil, Refuse("with the tenant's card or PIN it ends at once", "a notice runs already")
	case !s.Clock.Trusted:
		return nil, Refuse("set the clock, then gatehouse clock confirm; or use the tenant's card or PIN", "a notice needs a date, and the gateway's clock can't be trusted")
	}
	until := s.Clock.NotBefore() + uint32(s.Days)*DaySeconds
	if s.Standing.end != 0 && s.Standing.end <= until {
		return nil, Refuse("", "the term ends before a notice of %s would", amount.Of(s.Days, "day"))
	}
	return s.each(wire.Change{Op: wire.OpNotice, Cause: s.Cause, Until: until}), nil
}

// onNotice reports whether a notice runs, disputed or not.
func (s Situation) onNotice() bool {
	return s.Tenancy.OnNotice() != 0 || s.Standing.upheld != 0 || s.Standing.noticed != 0
}

func (s Situation) dispute() ([]wire.Change, error) {
	switch {
	case s.Proof == wire.ProofLandlord:
		return nil, Refuse("hold up a card of the tenancy, or type its PIN", "only the tenant can dispute a notice")
	case !s.onNotice():
		return nil, Refuse("", "no notice runs against this tenancy")
	case s.Standing.upheld != 0:
		return nil, Refuse(final, "the registry has upheld the notice")
	case s.Tenancy.Disputed():
		return nil, Refuse("it counts only if the registry upholds it", "the notice is disputed already")
	}
	return s.each(wire.Change{Op: wire.OpDispute}), nil
}

func (s Situation) withdraw() ([]wire.Change, error) {
	switch {
	case !s.onNotice():
		return nil, Refuse("", "no notice runs against this tenancy")
	case s.Standing.upheld != 0:
		return nil, Refuse(final, "the registry has upheld the notice")
	}
	return s.each(wire.Change{Op: wire.OpWithdraw}), nil
}

// final is the hint about a notice that the registry has decided on.
const final = "gatehouse tenancy show tells the last day; only the registry can change it: ask its operator"

// suspend stops a lost card: at once on the tenant's word. On the landlord's it stops when the days
// of a notice have passed, if another card stays and no door has taken it meanwhile.
func (s Situation) suspend() ([]wire.Change, error) {
	k, err := s.lost(Active)
	if err != nil {
		return nil, err
	}
	if s.Proof != wire.ProofLandlord {
		return k.changed(wire.OpSuspend), nil
	}
	if s.staying(k) == 0 {
		return nil, Refuse("gatehouse card replace puts another card in its place; or the tenant's PIN, or the registry",
			"this is the tenancy's last card, and its tenant would be locked out (refusal N3)")
	}
	return s.announce(k)
}

// staying counts the cards other than k that open and go on doing so.
func (s Situation) staying(k Card) (n int) {
	for _, c := range s.Standing.Cards {
		if c.State == Active && !c.Ending && c.Number != k.Number {
			n++
		}
	}
	return n
}

// announce names a card again on the landlord's word: the days until it stops begin, and the other
// gateways learn of it.
func (s Situation) announce(k Card) ([]wire.Change, error) {
	if k.Ending {
		return nil, Refuse("with the tenant's PIN or another of its cards it stops at once", "card %d is to stop already", k.Number)
	}
	return k.changed(wire.OpBind), nil
}

// resume requires the found card itself, or the PIN. The landlord can take back only his own
// request. A card that no desk has stopped was stopped by the registry for a cause that is unknown
// here, and may be in a thief's hands.
func (s Situation) resume() ([]wire.Change, error) {
	if s.Proof == wire.ProofCard && s.Card == 0 {
		s.Card = s.held
	}
	if k := s.ending(); s.Proof == wire.ProofLandlord && k != nil {
		return k.changed(wire.OpResume), nil
	}
	k, err := s.chosen(Suspended)
	if err != nil {
		return nil, err
	}
	if !k.reported {
		return nil, Refuse("ask the registry's operator: registryd resume --tenancy "+s.Tenancy.ID.String()+" --reason found; or the desk of the house at which it was reported",
			"card %d was suspended by the registry, as far as is known here: no card and no PIN brings it back", k.Number)
	}
	if s.Proof == wire.ProofLandlord || s.Proof == wire.ProofCard && s.held != k.Number {
		return nil, Refuse("hold up the very card that was found, or let the tenant type the PIN", "that card %d is found has to be shown", k.Number)
	}
	return k.changed(wire.OpResume), nil
}

// ending returns the card in question, or the first, if the landlord has asked for it to stop; nil:
// none.
func (s Situation) ending() *Card {
	for i := range s.Standing.Cards {
		if k := &s.Standing.Cards[i]; k.Ending && k.State == Active && (s.Card == 0 || s.Card == k.Number) {
			return k
		}
	}
	return nil
}

// replace binds the new card first, so that a crash in between leaves one card too many, and never
// a tenant without.
func (s Situation) replace() ([]wire.Change, error) {
	cards, want := s.Standing.Cards, Active
	if s.Card == 0 && count(cards, Active) == 0 && count(cards, Suspended) == 1 ||
		s.Card > 0 && s.Card <= len(cards) && cards[s.Card-1].State == Suspended {
		want = Suspended
	}
	k, err := s.lost(want)
	if err != nil {
		return nil, err
	}
	changes, err := s.bind(k.grant)
	if err != nil || want == Suspended {
		return changes, err
	}
	if s.Proof != wire.ProofLandlord {
		return append(changes, k.changed(wire.OpSuspend)...), nil
	}
	stops, err := s.announce(k)
	return append(changes, stops...), err
}

func (s Situation) add() ([]wire.Change, error) {
	grants := s.grants()
	if len(grants) == 0 {
		return nil, Refuse("check the tenant in anew", "this tenancy has no key that a card could join")
	}
	return s.bind(grants[0])
}

// confirm names a card again on the tenant's word, so that from then on it proves.
func (s Situation) confirm() ([]wire.Change, error) {
	if s.Proof == wire.ProofLandlord {
		return nil, Refuse("hold up an older card of the tenancy, or let the tenant type the PIN", "only the tenant can confirm a card")
	}
	if s.Card == 0 {
		for _, k := range s.Standing.Cards {
			if k.State == Active && !k.Proves && k.Number != s.held {
				if s.Card != 0 {
					return nil, Refuse("name it with --card; gatehouse tenancy show lists them", "several cards wait to be confirmed")
				}
				s.Card = k.Number
			}
		}
	}
	if s.Card == 0 {
		return nil, Refuse("gatehouse tenancy show lists them", "no card of this tenancy waits to be confirmed")
	}
	k, err := s.chosen(Active)
	if err != nil {
		return nil, err
	}
	return k.changed(wire.OpBind), nil
}

// setPIN requires the tenant's word, because the landlord knows any PIN that he can set.
func (s Situation) setPIN() ([]wire.Change, error) {
	switch {
	case s.Proof == wire.ProofLandlord:
		return nil, Refuse("hold up a card of the tenancy, or let the tenant type the old PIN", "only the tenant can choose a PIN")
	case !s.NewPIN:
		return nil, Refuse("the tenant types it", "no new PIN came")
	}
	return nil, nil
}

// newCodes requires the tenant's word, because the old codes end.
func (s Situation) newCodes() ([]wire.Change, error) {
	if s.Proof == wire.ProofLandlord {
		return nil, Refuse("hold up a card of the tenancy, or let the tenant type the PIN", "only the tenant can ask for new one-time codes")
	}
	return nil, nil
}

// newGuest needs the tenant's word, because the code opens in the tenancy's name.
func (s Situation) newGuest() ([]wire.Change, error) {
	if s.Proof == wire.ProofLandlord {
		return nil, Refuse("hold up a card of the tenancy, or let the tenant type the PIN", "only the tenant can give a guest a code: it opens in the tenant's name")
	}
	return nil, nil
}

// bind adds the new card to a grant. Where the registry has stopped every card of the tenancy, a
// new card would undo that as surely as a resumed one.
func (s Situation) bind(grant wire.ID) ([]wire.Change, error) {
	if s.stoppedByRegistry() {
		return nil, Refuse("ask the registry's operator: registryd resume --tenancy "+s.Tenancy.ID.String()+" --reason found, and then again; if the card was stolen, check the tenant in anew",
			"the registry has suspended all cards of tenancy %s, as far as is known here: no new one joins them", s.Tenancy.Word())
	}
	if len(s.Fresh) == 0 {
		return nil, Refuse("hold it up to a reader", "the new card has not been shown")
	}
	return []wire.Change{{Op: wire.OpBind, Grant: grant, Credentials: s.Fresh}}, nil
}

// stoppedByRegistry reports whether no card of the tenancy opens, and at least one was stopped by
// no desk's word.
func (s Situation) stoppedByRegistry() bool {
	return count(s.Standing.Cards, Active) == 0 &&
		slices.ContainsFunc(s.Standing.Cards, func(k Card) bool { return k.State == Suspended && !k.reported })
}

// chosen returns the card in question, or the only one in that state apart from the one that was
// held up.
func (s Situation) chosen(state string) (Card, error) {
	if s.Card != 0 {
		if s.Card < 0 || s.Card > len(s.Standing.Cards) {
			return Card{}, Refuse("gatehouse tenancy show lists them", "this tenancy has no card %d", s.Card)
		}
		if k := s.Standing.Cards[s.Card-1]; k.State == state {
			return k, nil
		}
		return Card{}, Refuse("gatehouse tenancy show lists them", "card %d is %s", s.Card, s.Standing.Cards[s.Card-1].State)
	}
	var numbers []string
	for _, k := range s.Standing.Cards {
		if k.State == state && (k.Number != s.held || s.Proof != wire.ProofCard) {
			numbers = append(numbers, fmt.Sprint(k.Number))
			s.Card = k.Number
		}
	}
	switch len(numbers) {
	case 0:
		return Card{}, Refuse("gatehouse tenancy show lists them", "this tenancy has no (other) card that is %s", state)
	case 1:
		return s.Standing.Cards[s.Card-1], nil
	}
	return Card{}, Refuse("name it with --card: "+strings.Join(numbers, ", "), "this tenancy has several cards that are %s", state)
}

// lost returns the chosen card, which must not be the one that was held up.
func (s Situation) lost(state string) (Card, error) {
	k, err := s.chosen(state)
	if err == nil && k.Number == s.held {
		err = Refuse("a card that is here is not lost: say with --card which one is", "this is the card that was held up")
	}
	return k, err
}
