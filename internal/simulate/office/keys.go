package office

import (
	"slices"
	"testing/synctest"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// ReplaceKeys is what docs/restore.md says of stolen keys: the root makes new ones
// in the place of issuer's and witness's, and what these said is void.
func (h *Hints) ReplaceKeys() {
	if h.w.Keys != world.Stolen {
		return // done already, or nobody has stolen one
	}
	h.w.Keys = world.Replaced
	h.w.Report.Say("the root replaces the keys of issuer and witness: registryd trust new --replace issuer --replace witness --as-false")
	h.w.Bed.Registry.Issuer.End()
	h.w.Bed.Registry.StopFront()
	_, err := authority.NextTrust{Dir: h.w.Bed.Registry.Issuer.Disk.Dir(), Front: h.w.Bed.Registry.Front.Disk.Dir(), Root: h.w.Bed.Path("offline/" + authority.FileRootKey),
		Replace: []string{authority.ReplaceIssuer, authority.ReplaceWitness}, False: true, Now: h.w.Bed.Registry.Issuer.Clock.Wall()}.Sign()
	if err != nil {
		h.w.Report.Breach("W4", "the stolen keys can't be replaced: %v", err)
	}
	h.w.Must("the front", h.w.Bed.Registry.StartFront())
	h.w.Must("the issuer", h.w.Bed.Registry.StartIssuer())
	time.Sleep(time.Second)
	_, err = h.w.Bed.Registry.Op.Publish(h.w.Bed.Ctx)
	h.w.Report.Say("the operator: registryd publish%s", world.Said(err))
}

// replaceCA is what a status asks for: a new CA, with the root's key, and what that
// command prints then.
func (h *Hints) replaceCA() {
	next := authority.NextTrust{Dir: h.w.Bed.Registry.Issuer.Disk.Dir(), Front: h.w.Bed.Registry.Front.Disk.Dir(), Root: h.w.Bed.Path("offline/" + authority.FileRootKey),
		Replace: []string{authority.ReplaceCA}, Now: h.w.Bed.Registry.Issuer.Clock.Wall()}
	_, err := next.Sign()
	h.w.Report.Say("the operator: registryd trust new --replace ca%s", world.Said(err))
	h.w.RestartIssuer()
	time.Sleep(2 * time.Hour)
	synctest.Wait()
	h.renewServer()
}

// renewServer gives the front its next certificate, which it takes by itself.
func (h *Hints) renewServer() {
	_, err := authority.RenewServer(h.w.Bed.Registry.Issuer.Disk.Dir(), h.w.Bed.Registry.Front.Disk.Dir(), nil, h.w.Bed.Registry.Issuer.Clock.Wall())
	h.w.Report.Say("the operator: registryd renew-server%s", world.Said(err))
}

// undoTimes takes back, as two issuers, times that gateways were signed and that have
// not come.
func (h *Hints) undoTimes() {
	all, err := h.w.Bed.Registry.API.Gateways(h.w.Bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	for _, g := range all {
		if g.Signed == nil || time.Unix(int64(g.Signed.Unix), 0).Before(h.w.Bed.Registry.Front.Clock.Wall().Add(time.Hour)) {
			continue
		}
		first, err := h.w.Bed.Registry.Op.UndoClock(h.w.Bed.Ctx, operator.Undo{Building: testbed.Building, Gateway: g.Gateway, Floor: *g.Signed})
		if err == nil {
			var both api.Undo
			if both, err = operator.SignUndo(first, h.w.Bed.Path("offline/"+api.FileRoot), "town", h.w.Bed.Path("offline/"+authority.FileSecond)); err == nil {
				_, err = h.w.Bed.Registry.API.PutUndo(h.w.Bed.Ctx, both)
			}
		}
		h.w.Report.Say("the operator: registryd clock undo %s%s", g.Gateway, world.Said(err))
	}
}

// answerOffers is the operator who looks at what gateways hold and no issuer trusted
// now has signed: a list is a thief's, since nobody has restored anything with another
// key here. Endings are true where those who live in the house say so, as they do of
// what a restored registry has forgotten; else a thief's.
func (h *Hints) answerOffers() {
	all, err := h.w.Bed.Registry.Op.Offers(h.w.Bed.Ctx)
	if err != nil {
		return
	}
	for _, o := range all {
		d, what := operator.Decision{Building: o.Building, ID: o.ID}, "drop, for the list that "+o.Gateway+" holds"
		switch {
		case o.Key == "" && h.w.Keys != world.Safe:
			h.reinstateRobbed()
			continue
		case o.Key == "" && h.overIn(o.Flats) >= o.Grants:
			d.Take, what = true, "take, for endings that "+o.Gateway+" holds"
		case h.w.Keys == world.Safe:
			continue
		}
		_, err := h.w.Bed.Registry.Op.Decide(h.w.Bed.Ctx, d)
		h.w.Report.Say("the operator: registryd offers %s%s", what, world.Said(err))
	}
}

// overIn is how many tenancies of flats are over, as people say, and go on at the
// registry.
func (h *Hints) overIn(flats []string) (n int) {
	all, err := h.w.Bed.Registry.Op.Tenancies(h.w.Bed.Ctx, testbed.Building)
	if err != nil {
		return 0
	}
	for _, t := range h.w.Model.Tenancies {
		goesOn := slices.ContainsFunc(all, func(o operator.Tenancy) bool { return o.ID == t.ID && o.State != "ended" })
		if goesOn && slices.Contains(flats, t.Flat) && h.w.Model.EndedByAnyone(t) {
			n++
		}
	}
	return n
}

// reinstateRobbed is the operator who is told that grants were ended by a list that
// nobody here has made: who lives in the house gets new ones.
func (h *Hints) reinstateRobbed() {
	all, err := h.w.Bed.Registry.Op.Tenancies(h.w.Bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	for _, t := range h.w.Model.Tenancies {
		i := slices.IndexFunc(all, func(o operator.Tenancy) bool { return o.ID == t.ID })
		if !t.Robbed || i < 0 || !h.w.Model.Lives(t) {
			continue
		}
		done, err := h.w.Bed.Registry.Op.Do(h.w.Bed.Ctx, operator.Act{Act: operator.ActReinstate, Tenancy: t.ID, Reason: "mistake"})
		h.w.Report.Say("the operator: registryd reinstate --tenancy, for %s: %s%s", t.Name(), amount.Of(len(done.New), "new grant"), world.Said(err))
		if err == nil {
			t.Robbed, t.Notice = false, time.Time{}
			h.w.Model.Reinstate(t)
		}
		if err == nil && done.Held {
			h.op.countersign()
		}
	}
}

// reviewTenancies ends what nobody in the house knows.
func (h *Hints) reviewTenancies() {
	all, err := h.w.Bed.Registry.Op.Tenancies(h.w.Bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	for _, o := range all {
		known := slices.ContainsFunc(h.w.Model.Tenancies, func(t *model.Tenancy) bool { return t.ID == o.ID })
		if known || o.State == "ended" {
			continue
		}
		d, err := h.w.Bed.Registry.Op.Do(h.w.Bed.Ctx, operator.Act{Act: operator.ActEnd, Tenancy: o.ID, Reason: "mistake"})
		h.w.Report.Say("the operator: end a tenancy of flat %s that nobody knows%s", o.Flat, world.Said(err))
		if err == nil && d.Held {
			h.op.countersign()
		}
	}
}

// RemoveGateway is what docs/keys.md says of a stolen card: the gateway is taken out
// of the building, and enrolled anew on another machine. Whoever it has let in, or
// put out, is looked through with those who live in the house.
func (h *Hints) RemoveGateway(b *testbed.Gateway) {
	_, err := h.w.Bed.Registry.Op.RemoveGateway(h.w.Bed.Ctx, testbed.Building, b.Name)
	h.w.Report.Say("the operator: registryd gateway remove %s%s", b.Name, world.Said(err))
	if err != nil {
		h.w.Report.Breach("W4", "a stolen gateway can't be taken out: %v", err)
	}
	h.Replace(b)
	h.reviewTenancies()
	h.reinstateRobbed()
}
