package simulate

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
)

// begin is the true time at which every run begins: 8 in the morning in the
// building.
var begin = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)

// flats of the building.
var flats = []string{"1A", "1B", "2A", "2B", "3A", "3B"}

// world is a building and its registry in one bubble. One goroutine moves it.
type world struct {
	t        *testing.T
	ctx      context.Context
	dir      string
	plan     Plan
	town     *town
	broker   *faultnet.Broker
	centre   *centre
	gateways []*box
	annex    *annex // nil: there is none
	passes   []kept
	model    *model
	rolls    map[string]*chances
	did      []Line
	doing    string // kind of the event that happens
	breaches []Breach
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

// Line is what was done, or happened, and when by true time.
type Line struct {
	At   time.Duration `json:"at"`
	Kind string        `json:"kind,omitempty"` // of the event; "entry": a journal's
	Text string        `json:"text"`
}

func (l Line) String() string {
	day := int(l.At/(24*time.Hour)) + 1
	return fmt.Sprintf("day %d %s  %s", day, begin.Add(l.At).Format("15:04:05"), l.Text)
}

// Breach is a law that did not hold.
type Breach struct {
	Law  string        `json:"law"`
	At   time.Duration `json:"at"`
	Text string        `json:"text"`
}

func (b Breach) String() string { return Line{At: b.At, Text: b.Law + ": " + b.Text}.String() }

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// now is the true time since the beginning.
func (w *world) now() time.Duration { return time.Since(begin) }

func (w *world) chances(name string) *chances {
	if w.rolls[name] == nil {
		w.rolls[name] = &chances{seed: w.plan.Seed, name: name}
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

// ids are what differs from run to run: keys and names by chance, and folders.
var ids = regexp.MustCompile(`[0-9a-f]{8,}|/[^ :]*/`)

func (w *world) say(format string, args ...any) {
	text := ids.ReplaceAllString(fmt.Sprintf(format, args...), "*")
	w.did = append(w.did, Line{w.now().Truncate(time.Second), w.doing, strings.ReplaceAll(text, "\n", " ")})
}

func (w *world) breach(law, format string, args ...any) {
	text := ids.ReplaceAllString(fmt.Sprintf(format, args...), "*")
	w.breaches = append(w.breaches, Breach{law, w.now().Truncate(time.Second), text})
}

// build makes registry and gateways, all new and well.
func build(t *testing.T, plan Plan, dir string) (*world, error) {
	time.Sleep(time.Until(begin))
	w := &world{t: t, ctx: context.Background(), dir: dir, plan: plan, town: newTown(), broker: faultnet.NewSlowBroker(plan.Seed, 20*time.Millisecond),
		rolls: map[string]*chances{}, listHash: map[string]string{}, away: map[string]bool{}, problems: map[string]map[string]time.Duration{}, model: newModel(), calm: true}
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
	for n := range plan.Gateways {
		b := newBox(w, fmt.Sprintf("gw%d", n+1), fmt.Sprintf("door%d", n+1), n%2 == 0)
		b.scans = strings.Contains(plan.Climate, "visitors") || plan.Scans
		if strings.Contains(plan.Climate, "disks") {
			b.disk.separate()
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
			d.release()
		}
	}
}

// run lets a plan happen, and returns what came of it.
func run(t *testing.T, plan Plan, dir string) (out Outcome) {
	w, err := build(t, plan, dir)
	defer w.end()
	if err != nil {
		w.breach("start", "%v", err)
		return w.outcome()
	}
	for _, e := range plan.Events {
		if wait := e.At - w.now(); wait > 0 {
			time.Sleep(wait)
		}
		synctest.Wait()
		w.look()
		w.doing = e.Kind
		e.do(w)
		synctest.Wait()
		w.look()
		if len(w.breaches) > 0 && plan.First {
			return w.outcome()
		}
	}
	if plan.Twin > 0 {
		time.Sleep(time.Hour)
		synctest.Wait()
		w.noteViews()
	}
	w.doing = "closing"
	w.close()
	return w.outcome()
}

func (w *world) outcome() Outcome {
	o := Outcome{Seed: w.plan.Seed, Did: w.did, Breaches: w.breaches, views: w.views, Days: int((w.now() + 12*time.Hour) / (24 * time.Hour))}
	return o
}

// Outcome is what came of a run.
type Outcome struct {
	Seed     uint64 `json:"seed"`
	Plan     *Plan  `json:"-"` // that was run
	views    map[string]string
	Days     int      `json:"days"` // simulated
	Did      []Line   `json:"did"`
	Breaches []Breach `json:"breaches"`
}
