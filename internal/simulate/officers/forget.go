package officers

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing/synctest"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/whose"
	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/internal/simulate/world"
)

// forget is registryd forget, on a resident's request or a court's order; one time in two somebody takes the order to the
// gateways, too.
func (o *Officers) forget(n [4]int) {
	r := o.w.Bed.Registry
	t, ok := o.w.Someone(n[0])
	if !ok || !r.Front.Running() || !r.Issuer.Running() {
		return
	}
	o.w.Look()
	reason, _ := world.Pick(n[1], []string{"resident", "order"})
	before, err := frontdb.Read(o.w.Bed.Ctx, r.Front.Disk, o.w.Bed.Dir)
	if err != nil {
		o.w.Report.Breach("W10", "the front's database can't be read: %v", err)
		return
	}
	done, order, err := o.forgetTenancy(operator.Forget{Tenancy: t.ID, Reason: reason, Case: "440000-3", Order: n[2]%2 == 1})
	o.w.Report.Say("the operator: registryd forget %s --reason %s: %s, %d later%s", t.Name(), reason, amount.Of(done.Erased, "who part"), done.Later, world.Said(err))
	if err != nil {
		return
	}
	o.w.Erased.Forget(t.ID, before, o.w.Now())
	o.Registry()
	if len(order) == 0 {
		return
	}
	for _, b := range o.w.Bed.Running() {
		err := control.ForgetRequest{Order: order}.Send(o.w.Bed.Ctx, b.Client)
		o.w.Report.Say("somebody at %s: gatehouse forget, of %s%s", b.Name, t.Name(), world.Said(err))
		if err == nil {
			o.w.Erased.Order(b.Name, t.ID, time.Now(), o.w.Now())
		}
	}
}

// forgetTenancy does what the command does.
func (o *Officers) forgetTenancy(f operator.Forget) (done api.Forgotten, order []byte, err error) {
	r, ctx := o.w.Bed.Registry, o.w.Bed.Ctx
	key, err := o.records()
	if err != nil {
		return done, nil, err
	}
	home, err := r.Op.Forget(ctx, f)
	if err != nil {
		return done, nil, err
	}
	found := whose.New(key, f.Tenancy)
	if err := r.API.Seals(ctx, home.Building, found.Look); err != nil {
		return done, nil, err
	}
	done, err = r.API.Forget(ctx, found.Entries())
	return done, home.Order, err
}

// searchAll looks through all disks for what is erased, after those who have an order had the time for it.
func (o *Officers) searchAll([4]int) {
	running := o.w.Bed.Running()
	time.Sleep(40 * time.Minute)
	synctest.Wait()
	o.w.Look()
	for _, b := range running {
		o.Gateway(b)
	}
	o.Registry()
}

// Registry is law W10 there, as it is now.
func (o *Officers) Registry() {
	r := o.w.Bed.Registry
	there, err := frontdb.Read(o.w.Bed.Ctx, r.Front.Disk, o.w.Bed.Dir)
	if err != nil {
		o.w.Report.Breach("W10", "the front's database can't be read: %v", err)
		return
	}
	o.w.Erased.Registry(there, o.search(r.Front.Disk), o.w.Now(), o.w.Report)
	if o.w.Bed.WhoDays() > 0 {
		o.keeps()
		o.w.Erased.Aged(there, o.w.Now(), o.w.Report)
	}
}

// Gateway is law W10 at a gateway, as it is now.
func (o *Officers) Gateway(b *testbed.Gateway) {
	o.w.Erased.Gateway(b.Name, b.Entries(), b.Held, o.search(b.Disk), o.w.Now(), o.w.Report)
}

func (o *Officers) search(d *virtual.Disk) func([][]byte) string {
	return func(all [][]byte) string {
		file, err := d.Search(all)
		if err != nil {
			o.w.Report.Breach("W10", "a disk can't be searched: %v", err)
		}
		return file
	}
}

// cutInRewrite waits until a gateway, whose disk is slow, rewrites a closed file of its log without who parts. Then
// people come home, so that the write-ahead file has entries, the power is cut, and a record of that file is spoilt.
func (o *Officers) cutInRewrite(n [4]int) {
	b, ok := world.Pick(n[0], o.w.Bed.Running())
	if !ok {
		return
	}
	for range 2 * 24 * 60 * 30 {
		if found, _ := filepath.Glob(b.Disk.Path("state", "journal", "*"+segment.PackSuffix)); len(found) > 0 {
			b.Disk.Slow.Store(0) // but for the sync that it waits for
			for t := range 2 {
				o.w.SomeoneSwipes(b, 5*t)
			}
			o.cutAndSpoil(b)
			return
		}
		time.Sleep(2 * time.Second)
	}
	o.w.Report.Breach("W10", "%s rewrites no file of its log within two days", b.Name)
}

// cutAndSpoil cuts the power, spoils a record of the write-ahead file that has others behind it, and boots: the log has a new
// epoch from there on, and something says so.
func (o *Officers) cutAndSpoil(b *testbed.Gateway) {
	o.w.Look()
	began := o.w.Now()
	o.w.Must(b.Name, b.CutPower())
	path := b.Disk.Path("state", "journal", ahead.Name)
	raw, err := os.ReadFile(path)
	records, err2 := ahead.Read(path)
	if err := errors.Join(err, err2); err != nil || len(records) < 2 {
		o.w.Report.Breach("W10", "nothing of the write-ahead file of %s can be spoilt: %d records (%v)", b.Name, len(records), err)
		return
	}
	raw[bytes.Index(raw, records[0].Stored[0])] ^= 1
	o.w.Must(b.Name, os.WriteFile(path, raw, 0o600))
	o.w.Report.Say("%s loses its power while it rewrites a file of its log, and the first of %s of its write-ahead file is spoilt", b.Name, amount.Of(len(records), "record"))
	o.w.Model.Minds[b.Name].Damaged = true
	o.w.Lost(began, "a record of the write-ahead file of "+b.Name+" was spoilt", "^("+b.Name+" has an entry|alarm of "+b.Name+":) damaged ")
	o.w.Boot(b)
}
