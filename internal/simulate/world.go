package simulate

import (
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
)

// world is a building and its registry in one bubble. One goroutine moves it.
type world struct {
	bed      *testbed.Bed
	plan     plan.Plan
	annex    *annex // nil: there is none
	passes   []kept
	model    *model.Model
	report   report.Report
	views    map[string]string // by name: what can be seen of the house
	lastLoss time.Duration
	listHash map[string]string                   // by gateway: the list that it applied when it was looked at last
	problems map[string]map[string]time.Duration // by gateway: all that its status ever showed, and when last
	entries  map[string]map[testbed.Spot]noted   // by gateway: entries that were seen there
	losses   []loss
	thief    *thief          // nil: nobody has stolen a key
	stranger *stranger       // nil: nobody has stolen the card of a gateway
	enemy    *enemy          // nil: nobody but the registry is at the broker
	away     map[string]bool // gateways that were switched off for a while
	calm     bool            // nothing has gone wrong that is not the weather of every day
}

// now is the true time since the beginning.
func (w *world) now() time.Duration { return time.Since(plan.Begin) }

// build makes registry and gateways, all new and well.
func build(p plan.Plan, dir string) (*world, error) {
	time.Sleep(time.Until(plan.Begin))
	old, hasOld := p.CAEnds()
	made := testbed.Setup{Dir: dir, Seed: p.Seed, Gateways: p.Gateways, Scans: p.Scans || strings.Contains(p.Climate, "visitors"), OwnDisks: strings.Contains(p.Climate, "disks")}
	if hasOld {
		made.CALeft = &old
	}
	w := &world{bed: testbed.NewBed(made), plan: p, listHash: map[string]string{}, away: map[string]bool{}, problems: map[string]map[string]time.Duration{},
		entries: map[string]map[testbed.Spot]noted{}, model: model.NewModel(), calm: true}
	err := w.bed.Start()
	for _, b := range w.bed.Gateways {
		w.model.Machine(b.Name)
		w.entries[b.Name] = map[testbed.Spot]noted{}
	}
	return w, err
}

// end stops everything.
func (w *world) end() {
	w.enemy.goAway()
	if w.stranger != nil {
		_ = w.stranger.ring.Close()
	}
	w.bed.End()
}

// run lets a plan happen, and returns what came of it.
func run(p plan.Plan, dir string) (out report.Outcome) {
	w, err := build(p, dir)
	defer w.end()
	if err != nil {
		w.report.Breach("start", "%v", err)
		return w.outcome()
	}
	for _, e := range p.Events {
		if wait := e.At - w.now(); wait > 0 {
			time.Sleep(wait)
		}
		synctest.Wait()
		w.look()
		w.report.Doing = e.Kind
		w.happen(e)
		synctest.Wait()
		w.look()
		if len(w.report.Breaches) > 0 && p.First {
			return w.outcome()
		}
	}
	if p.Twin > 0 {
		time.Sleep(time.Hour)
		synctest.Wait()
		w.noteViews()
	}
	w.report.Doing = "closing"
	w.close()
	return w.outcome()
}

func (w *world) outcome() report.Outcome {
	o := report.Outcome{Seed: w.plan.Seed, Did: w.report.Did, Breaches: w.report.Breaches, Views: w.views, Days: int((w.now() + 12*time.Hour) / (24 * time.Hour))}
	return o
}

// happen lets one event of the plan happen.
func (w *world) happen(e plan.Event) {
	if do := events[e.Kind]; do != nil {
		do(w, e.N)
		return
	}
	w.report.Breach("plan", "no kind of event %q", e.Kind)
}
