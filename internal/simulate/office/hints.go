package office

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// Hints are what status, refusals and docs tell people to do: operator and landlord do that, and
// nothing else.
type Hints struct {
	w  *world.World
	op *Operator
}

// NewHints are those that nobody has followed yet.
func NewHints(w *world.World, op *Operator) *Hints { return &Hints{w, op} }

// Events are what people do of themselves, by the names that plans have for it.
func (h *Hints) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"operator looks": h.operatorLooks,
		"replace keys":   func([4]int) { h.ReplaceKeys() },
	}
}

// remedy is a command that problems and hints name, and what a person does who
// follows it.
type remedy struct {
	says *regexp.Regexp
	do   func()
}

// remedies are all of them, in the order in which a person does them.
func (h *Hints) remedies() []remedy {
	return []remedy{
		{regexp.MustCompile(`registryd trust new --replace issuer --as-false`), h.ReplaceKeys},
		{regexp.MustCompile(`registryd publish`), h.publish},
		{regexp.MustCompile(`registryd countersign`), h.op.countersign},
		{regexp.MustCompile(`registryd clock undo`), h.undoTimes},
		{regexp.MustCompile(`registryd offers`), h.answerOffers},
		{regexp.MustCompile(`registryd reinstate`), h.reinstateRobbed},
		{regexp.MustCompile(`Run registryd renew-server`), h.renewServer},
	}
}

func (h *Hints) publish() {
	_, err := h.w.Bed.Registry.Op.Publish(h.w.Bed.Ctx)
	h.w.Report.Say("the operator: registryd publish%s", world.Said(err))
}

// operatorLooks lets operator and landlord look at what is to do, and do it.
func (h *Hints) operatorLooks([4]int) {
	h.w.Look()
	h.Follow()
}

// Follow lets operator and landlord do what they are told, and nothing else.
func (h *Hints) Follow() {
	front := h.w.Bed.Registry.API
	if s, err := front.Status(h.w.Bed.Ctx); err == nil && asks(s.Problems, "registryd trust new --replace ca") {
		h.replaceCA() // before anybody enrols
	}
	var texts []string
	for _, b := range h.w.Bed.Gateways {
		texts = append(texts, h.followAt(b)...)
	}
	for _, text := range h.registrySays() {
		texts = append(texts, text)
		h.w.Report.Say("the registry says: %s", text)
		if m := impostor.FindStringSubmatch(text); m != nil {
			if b := h.w.Bed.Gateway(m[1]); b != nil {
				h.enrolAnew(b, h.awayOf(b, []string{text}))
			}
		}
	}
	for _, r := range h.remedies() {
		if slices.ContainsFunc(texts, r.says.MatchString) {
			r.do()
		}
	}
	time.Sleep(time.Minute)
}

// asks reports whether a problem names something to do.
func asks(problems []string, what ...string) bool {
	return slices.ContainsFunc(problems, func(p string) bool {
		return slices.ContainsFunc(what, func(w string) bool { return strings.Contains(p, w) })
	})
}

// followAt does what a gateway's status asks for at the gateway, and returns what it says.
func (h *Hints) followAt(b *testbed.Gateway) []string {
	s, err := b.Status()
	if err != nil {
		return nil
	}
	for _, p := range s.Problems {
		h.w.Report.Say("%s says: %s", b.Name, p)
	}
	if asks(s.Problems, "gatehouse clock confirm") {
		_, err := b.Client.ConfirmClock(h.w.Bed.Ctx)
		h.w.Report.Say("the landlord at %s: gatehouse clock confirm%s", b.Name, world.Refusal(err))
	}
	if asks(s.Problems, "takes it from escrow (registryd building-key)") {
		b.Stop()
		h.w.Report.Say("the operator: registryd building-key, for %s%s", b.Name, world.Said(h.fromEscrow(b)))
		h.w.Must(b.Name, b.Start())
	}
	switch {
	case asks(s.Problems, "enrol the gateway with a new token"):
		h.enrolAnew(b, h.awayOf(b, s.Problems))
	case asks(s.Problems, "gatehouse enrol"):
		h.Replace(b)
	}
	return s.Problems
}

// registrySays is what the registry tells the operator to do.
func (h *Hints) registrySays() (texts []string) {
	if s, err := h.w.Bed.Registry.API.Status(h.w.Bed.Ctx); err == nil {
		texts = append(texts, s.Problems...)
	}
	if s, err := h.w.Bed.Registry.Op.Status(h.w.Bed.Ctx); err == nil {
		texts = append(texts, s.Lines...)
		if len(s.Held) > 0 {
			texts = append(texts, "registryd countersign")
		}
	}
	return texts
}

// impostor is how a registry's status names a gateway in whose name another machine speaks.
var impostor = regexp.MustCompile(`speaks as gateway ` + testbed.Building + `/(\S+) with a key`)

// moveAway is how a status names what of a gateway's keys has to make way.
var moveAway = regexp.MustCompile(`move (all in )?(?:\S+/keys|its directory of keys)(?:/(\S+))?(?: but building\.key)? away`)

// awayOf are the files of a gateway's keys that problems want to be moved away; "": the
// whole directory.
func (h *Hints) awayOf(b *testbed.Gateway, problems []string) (files []string) {
	for _, p := range problems {
		m := moveAway.FindStringSubmatch(p)
		switch {
		case m == nil:
		case m[1] == "":
			files = append(files, m[2])
		default:
			all, err := os.ReadDir(b.Disk.Path("state", "keys"))
			h.w.Must(b.Name, err)
			for _, f := range all {
				if f.Name() != keys.BuildingKeyFile {
					files = append(files, f.Name())
				}
			}
		}
	}
	return files
}
