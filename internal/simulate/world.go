package simulate

import (
	"context"
	"fmt"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/virtual"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
)

// flats of the building.
var flats = []string{"1A", "1B", "2A", "2B", "3A", "3B"}

// world is a building and its registry in one bubble. One goroutine moves it.
type world struct {
	t        *testing.T
	ctx      context.Context
	dir      string
	plan     plan.Plan
	lan      *virtual.LAN
	broker   *faultnet.Broker
	centre   *centre
	gateways []*box
	annex    *annex // nil: there is none
	passes   []kept
	model    *model
	rolls    map[string]*virtual.Chances
	report   report.Report
	views    map[string]string // by name: what can be seen of the house
	lastLoss time.Duration
	listHash map[string]string                   // by gateway: the list that it applied when it was looked at last
	problems map[string]map[string]time.Duration // by gateway: all that its status ever showed, and when last
	thief    *thief                              // nil: nobody has stolen a key
	stranger *stranger                           // nil: nobody has stolen the card of a gateway
	enemy    *enemy                              // nil: nobody but the registry is at the broker
	away     map[string]bool                     // gateways that were switched off for a while
	calm     bool                                // nothing has gone wrong that is not the weather of every day
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// now is the true time since the beginning.
func (w *world) now() time.Duration { return time.Since(plan.Begin) }

func (w *world) chances(name string) *virtual.Chances {
	if w.rolls[name] == nil {
		w.rolls[name] = &virtual.Chances{Seed: w.plan.Seed, Name: name}
	}
	return w.rolls[name]
}

func (w *world) box(name string) *box {
	for _, b := range w.gateways {
		if b.name == name {
			return b
		}
	}
	return nil
}

// build makes registry and gateways, all new and well.
func build(t *testing.T, p plan.Plan, dir string) (*world, error) {
	time.Sleep(time.Until(plan.Begin))
	w := &world{t: t, ctx: context.Background(), dir: dir, plan: p, lan: virtual.NewLAN(), broker: faultnet.NewSlowBroker(p.Seed, 20*time.Millisecond),
		rolls: map[string]*virtual.Chances{}, listHash: map[string]string{}, away: map[string]bool{}, problems: map[string]map[string]time.Duration{}, model: newModel(), calm: true}
	var err error
	if w.centre, err = newCentre(w); err != nil {
		return w, err
	}
	if err := w.centre.startFront(); err != nil {
		return w, err
	}
	if err := w.centre.startIssuer(); err != nil {
		return w, err
	}
	time.Sleep(time.Second)
	for n := range p.Gateways {
		b := newBox(w, fmt.Sprintf("gw%d", n+1), fmt.Sprintf("door%d", n+1), n%2 == 0)
		b.scans = strings.Contains(p.Climate, "visitors") || p.Scans
		if strings.Contains(p.Climate, "disks") {
			b.disk.Separate()
		}
		w.gateways = append(w.gateways, b)
		w.model.machine(b.name)
		if err := b.enrol(false); err != nil {
			return w, err
		}
		if err := b.start(); err != nil {
			return w, err
		}
	}
	time.Sleep(3 * time.Minute)
	synctest.Wait()
	return w, nil
}

// end stops everything.
func (w *world) end() {
	w.enemy.goAway()
	if w.stranger != nil {
		_ = w.stranger.ring.Close()
	}
	for _, b := range w.gateways {
		b.stop()
	}
	if w.centre != nil {
		w.centre.issuer.end()
		w.centre.stopFront()
	}
	if w.annex != nil {
		w.annex.stop()
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	if w.centre != nil {
		_, all := w.disks()
		for _, d := range all {
			d.Release()
		}
	}
}

// run lets a plan happen, and returns what came of it.
func run(t *testing.T, p plan.Plan, dir string) (out report.Outcome) {
	w, err := build(t, p, dir)
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
