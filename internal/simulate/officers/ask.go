package officers

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/evidence"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/unsealing"
	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
	"gatehouse/sync/wire/sealing"
)

// askOnSite shows a mandate to a gateway. One time in three its disk is slow, somebody has just swiped, and the power fails as soon as
// the answer is there.
func (o *Officers) askOnSite(n [4]int) {
	b, ok := world.Pick(n[1], o.w.Bed.Running())
	if !ok || o.approver == nil {
		return
	}
	o.onSite(b, o.whom(n[0]), n[2]%3 == 0, n[0])
}

// onSite reports whether a gateway has answered.
func (o *Officers) onSite(b *testbed.Gateway, of *model.Tenancy, cut bool, walker int) bool {
	p, err := o.mandate(b, of)
	if err != nil {
		o.w.Report.Breach("W4", "no mandate can be signed: %v", err)
		return false
	}
	if cut {
		o.w.Look()
		b.Disk.Slow.Store(int64(3 * time.Second))
		o.w.SomeoneSwipes(b, walker)
		defer b.Disk.Slow.Store(0)
	}
	q, err := control.InquiryRequest{Mandate: p.envelope}.Ask(o.w.Bed.Ctx, b.Client)
	if cut {
		b.Disk.Slow.Store(0)
		o.w.Must(b.Name, b.CutPower())
	}
	all := b.Entries() // before anybody waits for anything
	if cut {
		o.w.Shown.Calm = o.w.Shown.Calm && b.Clock.Battery
		o.w.Boot(b)
	}
	code := ""
	if q.Refusal != nil {
		code = q.Refusal.Code
	}
	power := ""
	if cut {
		power = ", and it loses its power"
	}
	o.w.Report.Say("an officer asks %s of %s under a mandate: %s%s%s", b.Name, about(of), amount.Of(len(q.Files), "file"), power, refused(code, err))
	if err != nil || q.Refusal != nil {
		return false
	}
	answer := frontdb.Answer{Gateway: b.Name, Reference: p.Reference, Number: q.Use}
	o.w.Answers.OnSite(answer, o.entryOf(answer, all), o.w.Now(), o.w.Report)
	for _, f := range q.Files {
		o.opens(b.Name, f.Sealed)
	}
	return true
}

// entryOf finds the entry of an answer in a log, as the office reads it with its key; nil: there is none.
func (o *Officers) entryOf(a frontdb.Answer, all []testbed.Entry) *testbed.Spot {
	key, err := o.records()
	if err != nil {
		return nil
	}
	for _, e := range slices.Backward(all) {
		if e.Kind != wire.KindSealed.String() {
			continue
		}
		r, err := sealed.Open(key, testbed.PlaceOf(a.Gateway).Address(), e.Detail)
		if err == nil && r.What == sealed.Answer && wire.ID(r.Reference) == a.Reference && r.Use == a.Number {
			return &e.At
		}
	}
	return nil
}

// opens has the recipient of an answer open and verify it.
func (o *Officers) opens(where string, answer []byte) {
	file, err := sealing.Unseal(o.inbox, sealing.Answer, "", answer)
	if err == nil {
		err = o.verified(file)
	}
	if err != nil {
		o.w.Report.Breach("W9", "what %s has answered is no evidence: %v", where, err)
	}
}

// verified checks an evidence file as whoever has the root's key does.
func (o *Officers) verified(file []byte) error {
	root, err := keys.LoadRoot(o.w.Bed.Path("offline/" + api.FileRoot))
	if err != nil {
		return err
	}
	report, err := evidence.Verify(file, evidence.Trust{Root: root})
	if err == nil && !report.Anchored {
		err = errors.New("it is signed by nobody whom the root names")
	}
	return err
}

// askRegistry shows a mandate to the registry.
func (o *Officers) askRegistry(n [4]int) {
	b, ok := world.Pick(n[1], o.w.Bed.Gateways)
	if ok && o.approver != nil && o.w.Bed.Registry.Front.Running() {
		o.central(b, o.whom(n[0]))
	}
}

// central reports whether the registry has answered, if only that nothing is cosigned yet.
func (o *Officers) central(b *testbed.Gateway, of *model.Tenancy) bool {
	p, err := o.mandate(b, of)
	if err != nil {
		o.w.Report.Breach("W4", "no mandate can be signed: %v", err)
		return false
	}
	r := o.w.Bed.Registry
	d, err := r.API.Mandated().Disclose(o.w.Bed.Ctx, api.Asked{Mandate: p.envelope, Gateway: b.Name})
	code := ""
	if d.Refusal != nil {
		code = d.Refusal.Name
	}
	o.w.Report.Say("an officer asks the registry of %s at %s under a mandate: %s%s", about(of), b.Name, amount.Of(len(d.Logs), "log"), refused(code, err))
	if err != nil || d.Refusal != nil {
		return false
	}
	if d.Number > 0 {
		there, err := frontdb.Read(o.w.Bed.Ctx, r.Front.Disk, o.w.Bed.Dir)
		if err != nil {
			o.w.Report.Breach("W9", "the front's database can't be read: %v", err)
			return false
		}
		o.w.Answers.Central(frontdb.Answer{Gateway: b.Name, Reference: p.Reference, Number: uint64(d.Number)}, there, o.w.Now(), o.w.Report)
	}
	for _, l := range d.Logs {
		if err := o.unseal(p, d, l); err != nil {
			o.w.Report.Breach("W9", "what the registry has answered of %s is no evidence: %v", b.Name, err)
		}
	}
	return true
}

// unseal makes evidence of what the registry has, with the key that lies offline, and has it verified.
func (o *Officers) unseal(p paper, d api.Disclosed, l api.DisclosedLog) error {
	r := o.w.Bed.Registry
	var all []api.SealedBatch
	err := r.API.Mandated().Batches(o.w.Bed.Ctx, d, l.Epoch, func(b api.SealedBatch) error {
		all = append(all, b)
		return nil
	})
	records, keyErr := o.records()
	witness, witnessErr := keys.LoadPrivateKey(r.Front.Disk.Path(api.FileWitnessKey))
	if err := errors.Join(err, keyErr, witnessErr); err != nil {
		return err
	}
	opened, err := unsealing.Answer{Disclosed: d, Log: l, Mandate: p.Mandate, Envelope: p.envelope, Records: [][]byte{records}, Zone: "Asia/Shanghai", Software: "simulated"}.Open(all, witness)
	if err != nil {
		return err
	}
	if len(opened.Lost)+len(opened.Other) > 0 {
		return fmt.Errorf("%d seals do not open, %d are of something else", len(opened.Lost), len(opened.Other))
	}
	if of := p.Request.Tenancies; len(of) > 0 && slices.ContainsFunc(opened.Tenancies, func(id wire.ID) bool { return id != of[0] }) {
		return errors.New("it names somebody of whom the mandate does not ask")
	}
	var file bytes.Buffer
	if err := evidence.Write(&file, opened.Content); err != nil {
		return err
	}
	return o.verified(file.Bytes())
}

// AtLast is law W4 for mandates and the policy: with everything right again each gateway has the policy and answers a mandate, and so does the registry.
func (o *Officers) AtLast() {
	o.policyHeard()
	if o.approver == nil {
		return
	}
	for _, b := range o.w.Bed.Running() {
		if !o.onSite(b, nil, false, 0) {
			o.w.Report.Breach("W4", "%s answers no mandate", b.Name)
		}
		if !o.central(b, nil) {
			o.w.Report.Breach("W4", "the registry answers no mandate for %s", b.Name)
		}
	}
	time.Sleep(10 * time.Minute) // the registry hears of it
	synctest.Wait()
	o.w.Look()
}
