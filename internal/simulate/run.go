package simulate

import (
	"maps"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/simulate/faults"
	"gatehouse/internal/simulate/hostile"
	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/office"
	"gatehouse/internal/simulate/officers"
	"gatehouse/internal/simulate/people"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// run is one run of a plan: the world, who acts in it, and what happens at each event.
type run struct {
	w      *world.World
	events map[string]func(n [4]int) // by the kind of an event of a plan
	desk   *people.Desk
	op     *office.Operator
	hints  *office.Hints
	police *officers.Officers

	machines     *faults.Machines
	clocks       *faults.Clocks
	disks        *faults.Disks
	certificates *faults.Certificates

	thief    *hostile.Thief
	stranger *hostile.Stranger
	broker   *hostile.Broker
}

// newRun is the run of a plan on a directory of its own. Nothing runs yet.
func newRun(p plan.Plan, dir string) *run {
	setup := testbed.Setup{Dir: dir, Seed: p.Seed, Gateways: p.Gateways, Scans: p.Scans || strings.Contains(p.Climate, "visitors"),
		OwnDisks: strings.Contains(p.Climate, "disks"), WhoDays: officers.Days(p.Climate)}
	if left, ends := p.CAEnds(); ends {
		setup.CALeft = &left
	}
	w := world.New(p, testbed.NewBed(setup))
	r := &run{w: w, events: map[string]func(n [4]int){}, desk: people.NewDesk(w), op: office.NewOperator(w), police: officers.NewOfficers(w),
		machines: faults.NewMachines(w), clocks: faults.NewClocks(w), certificates: faults.NewCertificates(w), thief: hostile.NewThief(w)}
	r.hints, r.disks = office.NewHints(w, r.op), faults.NewDisks(w, r.op)
	r.stranger, r.broker = hostile.NewStranger(w, r.hints), hostile.NewBroker(w, r.thief)
	links := faults.NewLinks(w)
	for _, who := range []interface {
		Events() map[string]func(n [4]int)
	}{
		people.NewResidents(w, r.desk), people.NewLandlord(w, r.desk), people.NewVisitors(w), r.op, r.hints,
		r.machines, r.clocks, links, faults.NewLosses(w, r.hints), r.disks, r.certificates, faults.NewYear(w, r.machines, links, r.op),
		r.thief, r.stranger, r.broker, r.police,
	} {
		maps.Copy(r.events, who.Events())
	}
	return r
}

// start waits for the beginning, and starts registry and gateways.
func (r *run) start() error {
	time.Sleep(time.Until(plan.Begin))
	err := r.w.Bed.Start()
	for _, b := range r.w.Bed.Gateways {
		r.w.Model.Machine(b.Name)
	}
	return err
}

// end stops everything.
func (r *run) end() {
	r.broker.End()
	r.stranger.End()
	r.w.Bed.End()
}

// play lets a plan happen, and returns what came of it.
func play(p plan.Plan, dir string) report.Outcome {
	r := newRun(p, dir)
	defer r.end()
	if err := r.start(); err != nil {
		r.w.Report.Breach("start", "%v", err)
		return r.outcome(nil)
	}
	for _, e := range p.Events {
		if wait := e.At - r.w.Now(); wait > 0 {
			time.Sleep(wait)
		}
		synctest.Wait()
		r.w.Look()
		r.w.Report.Doing = e.Kind
		if do := r.events[e.Kind]; do != nil {
			do(e.N)
		} else {
			r.w.Report.Breach("plan", "no kind of event %q", e.Kind)
		}
		synctest.Wait()
		r.w.Look()
		if len(r.w.Report.Breaches) > 0 && p.First {
			return r.outcome(nil)
		}
	}
	var views laws.Views
	if p.Twin > 0 {
		time.Sleep(time.Hour)
		synctest.Wait()
		views = r.views()
	}
	r.w.Report.Doing = "closing"
	r.close()
	return r.outcome(views)
}

func (r *run) outcome(views laws.Views) report.Outcome {
	return report.Outcome{Seed: r.w.Plan.Seed, Did: r.w.Report.Did, Breaches: r.w.Report.Breaches, Views: views, Days: int((r.w.Now() + 12*time.Hour) / plan.Day)}
}
