package desk

import (
	"context"
	"errors"
	"slices"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/amount"
	"gatehouse/internal/caller"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/doorcode"
	"gatehouse/sync/wire"
)

// Bounds of a guest code, s: how long it is good for, and how far ahead it begins.
const (
	guestLongest  = 7 * tenancy.DaySeconds
	guestFarthest = 30 * tenancy.DaySeconds
)

// Guests are the codes that tenants give to visitors. Nobody gives one but the tenant: it
// opens in the tenancy's name. Who answers for the house sees which there are and can end
// them, and never sees whether one was used. Safe for concurrent use.
type Guests struct {
	codes   Codes
	grants  func() *access.Grants
	lost    func(wire.CredentialID) bool
	clock   func() tenancy.Time
	journal Journal
}

// GuestCode is a guest code with what opens, told this once.
type GuestCode struct {
	doorcode.Guest
	Digits   string
	QR       string   // text of the QR code
	Keys     []string // doors at whose keys the digits open
	Scanners []string // doors at whose scanners the QR code opens
}

// Doors are those here that take the guest codes of a tenancy, by keys or scanner.
func (g *Guests) Doors(t wire.ID) []string {
	clock := g.clock()
	all := append(g.opening(g.codes.Doors, t, clock), g.opening(g.codes.Scanners, t, clock)...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Judge refuses terms under which a tenancy can give no guest code, before its tenant proves anything.
func (g *Guests) Judge(t wire.ID, terms *doorcode.Terms) error {
	_, err := g.judge(t, terms, g.clock())
	return err
}

// judge returns where a guest code of a tenancy would open. A start that has come is from now on.
func (g *Guests) judge(t wire.ID, terms *doorcode.Terms, clock tenancy.Time) (out GuestCode, err error) {
	if terms == nil {
		return out, tenancy.Refuse("say how long it is good for", "a guest code needs an end")
	}
	if err := judgeTerms(terms, clock); err != nil {
		return out, err
	}
	out.Keys, out.Scanners = g.opening(g.codes.Doors, t, clock), g.opening(g.codes.Scanners, t, clock)
	if g.codes.Store == nil || len(out.Keys)+len(out.Scanners) == 0 {
		return out, tenancy.Refuse(`a scanner takes them (type = "code"), and a reader with keys by pin = "only" in its [[door.reader]]`, "no reader here takes guest codes at a door of this tenancy")
	}
	return out, g.opensThen(t, terms, append(slices.Clone(out.Keys), out.Scanners...))
}

// give makes a guest code for a tenancy.
func (g *Guests) give(t *tenancy.Tenancy, terms *doorcode.Terms) (*GuestCode, error) {
	clock := g.clock()
	out, err := g.judge(t.ID, terms, clock)
	if err != nil {
		return nil, err
	}
	out.Digits, out.Guest, err = g.codes.Invite(t.ID, *terms, clock.Past())
	if errors.Is(err, doorcode.ErrGuests) {
		return nil, tenancy.Refuse("end one of them, or wait until one is over", "this tenancy has %d guest codes already", doorcode.GuestsMost)
	}
	if err != nil {
		return nil, err
	}
	out.QR = doorcode.QR(out.Digits)
	g.enter(t.ID, wire.ReasonGuestGiven, string(caller.Resident)) // on nobody else's word
	return &out, nil
}

// opensThen refuses a code that begins when the tenancy is over at each of its doors.
func (g *Guests) opensThen(t wire.ID, terms *doorcode.Terms, doors []string) error {
	begin := int64(terms.From)
	if begin == 0 || slices.ContainsFunc(doors, func(d string) bool { return g.decide(t, d, access.At(begin)) != wire.ReasonExpired }) {
		return nil
	}
	return tenancy.Refuse("choose a start before that", "the tenancy is over when this guest code would begin")
}

// judgeTerms refuses times in which a code opens nothing, or for too long. A start that has
// come is from now on.
func judgeTerms(t *doorcode.Terms, clock tenancy.Time) error {
	now := clock.NotBefore()
	if t.From <= now {
		t.From = 0
	}
	begin := max(now, t.From)
	switch {
	case !clock.Trusted, t.Until > begin && clock.Latest >= int64(t.Until):
		return tenancy.Refuse("set the clock, then gatehouse clock confirm; cards and one-time codes need no clock", "a guest code has an end, and the gateway's clock can't be trusted")
	case begin-now > guestFarthest:
		return tenancy.Refuse("make it when the day is nearer", "a guest code begins at most %s from now", amount.Of(guestFarthest/tenancy.DaySeconds, "day"))
	case t.Until <= begin:
		return tenancy.Refuse("it counts from its start: choose one that is to come, or none for from now on", "this guest code would be over already")
	case t.Until-begin > guestLongest:
		return tenancy.Refuse("give another one then; who stays for longer gets a card: gatehouse card add", "a guest code lasts at most %s", amount.Of(guestLongest/tenancy.DaySeconds, "day"))
	}
	return nil
}

// opening are those of some doors that a tenancy may open, whatever of its cards is lost.
func (g *Guests) opening(doors []string, t wire.ID, clock tenancy.Time) []string {
	return slices.DeleteFunc(slices.Clone(doors), func(d string) bool {
		r := g.decide(t, d, known(clock))
		return r == wire.ReasonWrongDoor || r == wire.ReasonUnknown
	})
}

// decide says why a door opens or does not open for a tenancy, whatever of its cards is lost.
func (g *Guests) decide(t wire.ID, at string, when access.Time) wire.Reason {
	return access.DecideHome(g.grants(), t, g.lost, &access.Query{Door: at, Time: when}).Reason
}

// known is what a clock knows of now.
func known(c tenancy.Time) access.Time { return access.Time{Sure: c.Sure, Lo: c.Sure, Hi: c.Latest} }

// Pass shows a guest code to whoever has typed its digits on the house's page: when it opens what, and nothing of who
// has given it, of its number, or of its use. All others get one refusal: a code that there is not, that is over or was
// ended, that is the tenant's own, or that opens no door, since its tenancy is over or stopped.
func (g *Guests) Pass(digits string) (*GuestCode, error) {
	none := unknown("ask whoever has invited you; the digits may be mistyped, or the code is over", "no pass with these digits is good")
	typed, ok := device.NewPIN(digits)
	if !ok || g.codes.Store == nil {
		return nil, none
	}
	clock := g.clock()
	c, err := g.codes.Look(typed, clock.Past())
	if errors.Is(err, doorcode.ErrTries) {
		return nil, unknown("wait a few minutes; at the door the digits go on", "too many passes were asked for")
	}
	if err != nil {
		return nil, none
	}
	when := known(clock)
	if int64(c.From) > when.Lo {
		when = access.At(int64(c.From))
	}
	shut := func(d string) bool { return g.decide(c.Tenancy, d, when) != wire.ReasonGranted }
	out := GuestCode{Guest: doorcode.Guest{Terms: c.Terms}, Digits: digits, QR: doorcode.QR(digits),
		Keys: slices.DeleteFunc(slices.Clone(g.codes.Doors), shut), Scanners: slices.DeleteFunc(slices.Clone(g.codes.Scanners), shut)}
	if len(out.Keys)+len(out.Scanners) == 0 {
		return nil, none
	}
	return &out, nil
}

// List returns the guest codes that are not over, without whether they were used: that
// would tell that somebody came.
func (g *Guests) List() []doorcode.Guest {
	all := g.list()
	for i := range all {
		all[i].Used = false
	}
	return all
}

func (g *Guests) list() []doorcode.Guest {
	if g.codes.Store == nil {
		return nil
	}
	return g.codes.Guests(g.clock().Past())
}

// of are the guest codes of a tenancy, for its tenant.
func (g *Guests) of(t wire.ID) []doorcode.Guest {
	return slices.DeleteFunc(g.list(), func(c doorcode.Guest) bool { return c.Tenancy != t })
}

// End ends a guest code before its time.
func (g *Guests) End(ctx context.Context, id string) error {
	if g.codes.Store == nil {
		return noGuest(id)
	}
	c, found, err := g.codes.Uninvite(id)
	if err != nil {
		return err
	}
	if !found {
		return noGuest(id)
	}
	g.enter(c.Tenancy, wire.ReasonGuestEnded, caller.Of(ctx).String())
	return nil
}

// endOf ends a guest code of a tenancy, for its tenant: who shares the flat has others.
func (g *Guests) endOf(ctx context.Context, t wire.ID, id string) error {
	if !slices.ContainsFunc(g.of(t), func(c doorcode.Guest) bool { return c.ID == id }) {
		return noGuest(id)
	}
	return g.End(ctx, id)
}

func noGuest(id string) error {
	return tenancy.Refuse("gatehouse guest list shows them", "no guest code %q is good now: it is over, or was ended", id)
}

func (g *Guests) enter(t wire.ID, r wire.Reason, by string) {
	g.journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeDone, Reason: r, Source: by}, wire.Who{Tenancy: &t})
}
