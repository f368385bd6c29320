package desk

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/sync/wire"
)

// Actions at the desk, besides a check-in.
const (
	checkOut   = "checkout" // ends by the tenant's word; by the landlord alone a notice
	dispute    = "dispute"
	withdraw   = "withdraw" // of a notice
	suspend    = "suspend"  // a lost card
	resume     = "resume"   // a found one
	replace    = "replace"  // a lost one, by one that is held up
	addCard    = "add"      // one more card, or the form in which another reader sees one
	confirm    = "confirm"  // the tenant takes a card that came on the landlord's word
	setPIN     = "pin"      // the tenant chooses another one, or the first
	daySeconds = 24 * 60 * 60
)

// situation is all that a decision at the desk rests on. The rules are pure
// functions of it: they return the changes to record, or a Refusal.
type situation struct {
	t *tenancy
	standing
	proof   wire.Proof
	held    int // number of the card that was held up for proof; 0: none
	now     uint32
	surely  uint32
	trusted bool
	days    int // of a notice
	cause   wire.Cause
	card    int // number of the card that it is about; 0: the only one
	fresh   []wire.CredentialID
	pin     bool // a new one was typed
}

// rules has what each action asks for. In the rules a tenancy that is over is
// not seen.
var rules = map[string]func(situation) ([]wire.Change, error){
	checkOut: situation.checkOut, dispute: situation.dispute, withdraw: situation.withdraw,
	suspend: situation.suspend, resume: situation.resume, replace: situation.replace, addCard: situation.add,
	confirm: situation.confirm, setPIN: situation.setPIN,
}

// decide applies the rule of an action and completes its changes.
func (s situation) decide(action string) ([]wire.Change, error) {
	rule, ok := rules[action]
	if !ok {
		return nil, refuse("", "no action %q at the desk", action)
	}
	if s.t.state(s.standing, s.surely) == stateEnded {
		return nil, refuse("check the tenant in anew", "tenancy %s is over", s.t.word())
	}
	changes, err := rule(s)
	if err == nil && len(changes) == 0 && action != setPIN {
		return nil, refuse("check the tenant in anew", "tenancy %s has no key any more", s.t.word())
	}
	for i := range changes {
		c := &changes[i]
		c.At, c.Proof, c.Tenancy = s.now, s.proof, s.t.ID
		if c.Op == wire.OpNotice || c.Op == wire.OpDispute || c.Op == wire.OpWithdraw {
			c.At = max(c.At, s.t.marked()+1) // two within a second still have an order
		}
		for _, id := range c.Credentials {
			if k := s.t.holding(id); k != nil {
				c.At = max(c.At, k.Word+1) // likewise
			}
		}
	}
	return changes, err
}

// grants returns those of the tenancy's cards, each once.
func (s situation) grants() (all []wire.ID) {
	seen := map[wire.ID]bool{}
	for _, c := range s.cards {
		if c.State != stateEnded && !seen[c.grant] {
			seen[c.grant] = true
			all = append(all, c.grant)
		}
	}
	return all
}

// each makes one change for every grant.
func (s situation) each(c wire.Change) (all []wire.Change) {
	for _, g := range s.grants() {
		c.Grant = g
		all = append(all, c)
	}
	return all
}

// checkOut ends at once on the tenant's own word, and by a notice without it.
func (s situation) checkOut() ([]wire.Change, error) {
	if s.cause == 0 {
		return nil, refuse(causes(), "a check-out needs one of the causes")
	}
	if s.proof != wire.ProofLandlord {
		return s.each(wire.Change{Op: wire.OpEnd, Cause: s.cause}), nil
	}
	switch {
	case s.t.disputed() && s.upheld == 0:
		return nil, refuse("it counts only if the registry upholds it; gatehouse tenancy withdraw takes it back, and then another can be given", "the tenant disputes the notice")
	case s.onNotice():
		return nil, refuse("with the tenant's card or PIN it ends at once", "a notice runs already")
	case !s.trusted:
		return nil, refuse("set the clock, then gatehouse clock confirm; or use the tenant's card or PIN", "a notice needs a date, and the gateway's clock can't be trusted")
	}
	until := s.now + uint32(s.days)*daySeconds
	if s.end != 0 && s.end <= until {
		return nil, refuse("", "the term ends before a notice of %s would", amount.Of(s.days, "day"))
	}
	return s.each(wire.Change{Op: wire.OpNotice, Cause: s.cause, Until: until}), nil
}

// onNotice reports whether a notice runs, disputed or not, whoever has heard of it.
func (s situation) onNotice() bool { return s.t.notice() != 0 || s.upheld != 0 || s.noticed != 0 }

func (s situation) dispute() ([]wire.Change, error) {
	switch {
	case s.proof == wire.ProofLandlord:
		return nil, refuse("hold up a card of the tenancy, or type its PIN", "only the tenant can dispute a notice")
	case !s.onNotice():
		return nil, refuse("", "no notice runs against this tenancy")
	case s.upheld != 0:
		return nil, refuse(decided, "the registry has upheld the notice")
	case s.t.disputed():
		return nil, refuse("it counts only if the registry upholds it", "the notice is disputed already")
	}
	return s.each(wire.Change{Op: wire.OpDispute}), nil
}

func (s situation) withdraw() ([]wire.Change, error) {
	switch {
	case !s.onNotice():
		return nil, refuse("", "no notice runs against this tenancy")
	case s.upheld != 0:
		return nil, refuse(decided, "the registry has upheld the notice")
	}
	return s.each(wire.Change{Op: wire.OpWithdraw}), nil
}

// decided is what can be done about the registry's word on a notice.
const decided = "gatehouse tenancy show tells the last day; only the registry can change it: ask its operator"

// suspend stops a lost card: at once on the tenant's word. On the landlord's it
// stops when the days of a notice have passed, if another card stays, and if no
// door has taken it meanwhile.
func (s situation) suspend() ([]wire.Change, error) {
	k, err := s.chosen(stateActive)
	if err != nil {
		return nil, err
	}
	if k.Number == s.held {
		return nil, refuse("a card that is here is not lost: say with --card which one is", "this is the card that was held up")
	}
	if s.proof != wire.ProofLandlord {
		return []wire.Change{{Op: wire.OpSuspend, Grant: k.grant, Credentials: k.credentials}}, nil
	}
	if s.staying(k) == 0 {
		return nil, refuse("gatehouse card replace puts another card in its place; or the tenant's PIN, or the registry",
			"this is the tenancy's last card, and its tenant would be locked out (refusal N3)")
	}
	return s.announce(k)
}

// staying counts the cards that open and go on doing so without k.
func (s situation) staying(k Card) (n int) {
	for _, c := range s.cards {
		if c.State == stateActive && !c.Ending && c.Number != k.Number {
			n++
		}
	}
	return n
}

// announce names a card again on the landlord's word: the days until it stops
// begin, and the other gateways hear of it.
func (s situation) announce(k Card) ([]wire.Change, error) {
	if k.Ending {
		return nil, refuse("with the tenant's PIN or another of its cards it stops at once", "card %d is to stop already", k.Number)
	}
	return []wire.Change{{Op: wire.OpBind, Grant: k.grant, Credentials: k.credentials}}, nil
}

// resume wants the found card itself, or the PIN. The landlord can take back
// what he asked for himself. What no desk has stopped, the registry has, for a cause that
// is not known here: it may be in a thief's hands.
func (s situation) resume() ([]wire.Change, error) {
	if s.proof == wire.ProofCard && s.card == 0 {
		s.card = s.held
	}
	if k := s.ending(); s.proof == wire.ProofLandlord && k != nil {
		return []wire.Change{{Op: wire.OpResume, Grant: k.grant, Credentials: k.credentials}}, nil
	}
	k, err := s.chosen(stateSuspended)
	if err != nil {
		return nil, err
	}
	if !k.reported {
		return nil, refuse("ask the registry's operator: registryd resume --tenancy "+s.t.ID.String()+" --reason found; or the desk of the house at which it was reported",
			"card %d was suspended by the registry, as far as is known here: no card and no PIN brings it back", k.Number)
	}
	if s.proof == wire.ProofLandlord || s.proof == wire.ProofCard && s.held != k.Number {
		return nil, refuse("hold up the very card that was found, or let the tenant type the PIN", "that card %d is found has to be shown", k.Number)
	}
	return []wire.Change{{Op: wire.OpResume, Grant: k.grant, Credentials: k.credentials}}, nil
}

// ending returns the card that was named, or the first, if the landlord has asked
// for it to stop; nil for none.
func (s situation) ending() *Card {
	for i := range s.cards {
		if k := &s.cards[i]; k.Ending && k.State == stateActive && (s.card == 0 || s.card == k.Number) {
			return k
		}
	}
	return nil
}

// replace binds the new card first: a crash in between leaves one card too many,
// never a tenant without.
func (s situation) replace() ([]wire.Change, error) {
	if s.card == 0 && count(s.cards, stateActive) == 0 && count(s.cards, stateSuspended) == 1 {
		return s.bind(s.only(stateSuspended).grant)
	}
	want := stateActive
	if s.card > 0 && s.card <= len(s.cards) && s.cards[s.card-1].State == stateSuspended {
		want = stateSuspended
	}
	k, err := s.chosen(want)
	if err != nil {
		return nil, err
	}
	if k.Number == s.held {
		return nil, refuse("a card that is here is not lost: say with --card which one is", "this is the card that was held up")
	}
	changes, err := s.bind(k.grant)
	if err != nil || want == stateSuspended {
		return changes, err
	}
	if s.proof != wire.ProofLandlord {
		return append(changes, wire.Change{Op: wire.OpSuspend, Grant: k.grant, Credentials: k.credentials}), nil
	}
	stops, err := s.announce(k)
	return append(changes, stops...), err
}

func (s situation) add() ([]wire.Change, error) {
	grants := s.grants()
	if len(grants) == 0 {
		return nil, refuse("check the tenant in anew", "this tenancy has no key that a card could join")
	}
	return s.bind(grants[0])
}

// confirm names a card again on the tenant's word: from then on it proves.
func (s situation) confirm() ([]wire.Change, error) {
	if s.proof == wire.ProofLandlord {
		return nil, refuse("hold up an older card of the tenancy, or let the tenant type the PIN", "only the tenant can confirm a card")
	}
	if s.card == 0 {
		for _, k := range s.cards {
			if k.State == stateActive && !k.Proves && k.Number != s.held {
				if s.card != 0 {
					return nil, refuse("name it with --card; gatehouse tenancy show lists them", "several cards wait to be confirmed")
				}
				s.card = k.Number
			}
		}
	}
	if s.card == 0 {
		return nil, refuse("gatehouse tenancy show lists them", "no card of this tenancy waits to be confirmed")
	}
	k, err := s.chosen(stateActive)
	if err != nil {
		return nil, err
	}
	return []wire.Change{{Op: wire.OpBind, Grant: k.grant, Credentials: k.credentials}}, nil
}

// setPIN needs the tenant's word: what the landlord can set, he knows.
func (s situation) setPIN() ([]wire.Change, error) {
	switch {
	case s.proof == wire.ProofLandlord:
		return nil, refuse("hold up a card of the tenancy, or let the tenant type the old PIN", "only the tenant can choose a PIN")
	case !s.pin:
		return nil, refuse("the tenant types it", "no new PIN came")
	}
	return nil, nil
}

// bind joins the new card to a grant. Where the registry has stopped every card of the
// tenancy, a new one would undo its word as surely as a resumed one.
func (s situation) bind(grant wire.ID) ([]wire.Change, error) {
	if s.stoppedByRegistry() {
		return nil, refuse("ask the registry's operator: registryd resume --tenancy "+s.t.ID.String()+" --reason found, and then again; if the card was stolen, check the tenant in anew",
			"the registry has suspended all cards of tenancy %s, as far as is known here: no new one joins them", s.t.word())
	}
	if len(s.fresh) == 0 {
		return nil, refuse("hold it up to a reader", "the new card has not been shown")
	}
	return []wire.Change{{Op: wire.OpBind, Grant: grant, Credentials: s.fresh}}, nil
}

// stoppedByRegistry reports whether no card of the tenancy opens, and one of them by no
// desk's word.
func (s situation) stoppedByRegistry() bool {
	return count(s.cards, stateActive) == 0 &&
		slices.ContainsFunc(s.cards, func(k Card) bool { return k.State == stateSuspended && !k.reported })
}

// chosen returns the card that was named, or the only one in that state (but
// for the one that was held up).
func (s situation) chosen(state string) (Card, error) {
	if s.card != 0 {
		if s.card < 0 || s.card > len(s.cards) {
			return Card{}, refuse("gatehouse tenancy show lists them", "this tenancy has no card %d", s.card)
		}
		if k := s.cards[s.card-1]; k.State == state {
			return k, nil
		}
		return Card{}, refuse("gatehouse tenancy show lists them", "card %d is %s", s.card, s.cards[s.card-1].State)
	}
	var numbers []string
	for _, k := range s.cards {
		if k.State == state && (k.Number != s.held || s.proof != wire.ProofCard) {
			numbers = append(numbers, fmt.Sprint(k.Number))
			s.card = k.Number
		}
	}
	switch len(numbers) {
	case 0:
		return Card{}, refuse("gatehouse tenancy show lists them", "this tenancy has no (other) card that is %s", state)
	case 1:
		return s.cards[s.card-1], nil
	}
	return Card{}, refuse("name it with --card: "+strings.Join(numbers, ", "), "this tenancy has several cards that are %s", state)
}

// only returns the first card in that state.
func (s situation) only(state string) (k Card) {
	for _, k = range s.cards {
		if k.State == state {
			return k
		}
	}
	return k
}
