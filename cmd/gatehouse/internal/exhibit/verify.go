package exhibit

import (
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/evidence"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// Run prints what the file proves and what not.
func (v Verify) Run(c *Caller) error {
	o, err := v.open(c)
	if err != nil {
		return err
	}
	if o.stamp, err = v.judge(c, o); err != nil {
		return err
	}
	if err := c.Print(o.summary(), nil, func(w io.Writer) { o.explain(w, v.File) }); err != nil {
		return err
	}
	return o.status()
}

// summary is what programs get.
type summary struct {
	Whole      bool              `json:"whole"`    // all that can be proved is proved
	Anchored   bool              `json:"anchored"` // the root is the one that was given
	Root       string            `json:"root"`     // hex; empty: a house without a registry
	Log        string            `json:"log"`      // the gateway's key, hex
	SignedBy   evidence.SignedBy `json:"signed_by"`
	LogSigned  bool              `json:"log_signed"`
	Cosigned   uint64            `json:"cosigned"`    // entries below this number are cosigned
	CosignedAt *time.Time        `json:"cosigned_at"` // null: none is
	SHA256     wire.Hash         `json:"sha256"`
	SM3        wire.Hash         `json:"sm3"`
	Accepted   int               `json:"accepted"`       // cards and codes, whoever had them
	Named      int               `json:"accepted_named"` // those of them of which the file says whose
	Openings   map[string]int    `json:"openings"`
	Stamp      *stamped          `json:"stamp,omitempty"`
	Manifest   evidence.Manifest `json:"manifest"`
}

// stamped is a time stamp for programs.
type stamped struct {
	Known     bool      `json:"known"` // its authority is one that was named; else it proves nothing
	Authority string    `json:"authority"`
	Time      time.Time `json:"time"`      // the file existed before
	Within    float64   `json:"within_s"`  // that it can be off; 0: the authority does not say
	Until     time.Time `json:"cert_ends"` // of the authority
}

// openingNames are the names of what is known of an opening, for programs.
var openingNames = [...]string{"", "seen", "untied", "not_seen", "unknown_power_lost", "unknown_dropped", "unknown_file_ends", "no_contact"}

func (o opened) summary() summary {
	s := summary{Whole: o.Whole(), Anchored: o.Anchored, Root: fmt.Sprintf("%x", o.Root), Log: fmt.Sprintf("%x", o.Log), SignedBy: o.SignedBy, LogSigned: o.LogSigned,
		Cosigned: o.Cosigned, SHA256: o.SHA256, SM3: o.SM3, Openings: map[string]int{}, Manifest: o.Manifest}
	if !o.CosignedAt.IsZero() {
		at := o.CosignedAt.In(o.zone())
		s.CosignedAt = &at
	}
	if t := o.stamp; t != nil {
		s.Stamp = &stamped{t.Known, t.Name, t.Time, t.Accuracy.Seconds(), t.Until}
	}
	var known [len(openingNames)]int
	s.Accepted, s.Named, known = o.accepted()
	for kind, n := range known {
		if n > 0 {
			s.Openings[openingNames[kind]] = n
		}
	}
	return s
}

// accepted counts the accepted cards: all of the file, those of them of which it says whose, and all by what is
// known of the opening. Those outside the mandate's scope count, since a reader takes the number for all.
func (o opened) accepted() (all, named int, known [len(openingNames)]int) {
	for _, e := range o.Entries {
		if e.Opening == evidence.NotAsked {
			continue
		}
		all++
		known[e.Opening]++
		if e.State == evidence.Named {
			named++
		}
	}
	return all, named, known
}

// listed reports whether an entry stands in the lists: all of the mandate's doors do, also those whose who part is
// outside its scope, lest a door seem to open by itself.
func (o opened) listed(e evidence.Entry) bool { return o.Manifest.Scope.Has(e.Header.Door) }

// zone is the building's, or the one that the file was made in.
func (o opened) zone() *time.Location {
	if zone, err := time.LoadLocation(o.Manifest.TimeZone); err == nil {
		return zone
	}
	return o.Manifest.Made.At.Location()
}

func (o opened) local(t time.Time) string { return calendar.Stamp(t, o.zone()) }

// fact is a line of what the file is.
type fact struct{ Name, Value string }

// facts are what the file is, for the verdict and for the form.
func (o opened) facts() []fact {
	m := o.Manifest
	scope := strings.Join(m.Scope.Doors, ", ")
	if scope == "" {
		scope = o.say("scope_all")
	}
	root := fact{o.say("root"), shown(o.Root)}
	if o.Root == nil {
		root = fact{o.say("key_alone"), shown(o.Log)}
	}
	return []fact{{o.say("log_of"), m.Gateway}, {o.say("epoch"), fmt.Sprintf("%016x", uint64(m.Epoch))},
		{o.say("entries"), o.say("entries_span", m.First, m.End()-1, m.Counts.Entries, o.Size)},
		{o.say("mandate"), m.Mandate.Reference}, {o.say("scope"), scope + "; " + o.say("scope_span", o.local(m.Scope.From), o.local(m.Scope.Until))},
		{o.say("zone"), m.TimeZone}, {o.say("made"), o.local(m.Made.At) + " (" + m.Made.Software + ")"},
		{o.say("clock"), m.Clock.Quality + ", " + o.say("scope_span", o.local(m.Clock.Earliest), o.local(m.Clock.Latest))}, root}
}

// explain writes the verdict for people.
func (o opened) explain(w io.Writer, file string) {
	fmt.Fprintf(w, "%s\n\n%s: %s\n  SHA-256 %x\n  SM3     %x\n", o.say("title"), o.say("file"), file, o.SHA256, o.SM3)
	for _, f := range o.facts() {
		fmt.Fprintf(w, "%s: %s\n", f.Name, f.Value)
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"proved", o.proved()}, {"not_proved", o.notProved()}} {
		fmt.Fprintf(w, "\n%s\n", o.say(part.title))
		for _, line := range part.lines {
			said := strings.TrimLeft(line, " ")
			fmt.Fprintf(w, "%s- %s\n", line[:len(line)-len(said)], said)
		}
	}
}

// proved are the sentences of what is proved.
func (o opened) proved() []string {
	lines := []string{o.say("whole", o.Manifest.Counts.Entries)}
	if o.Anchored && o.Root != nil {
		lines = append(lines, o.say("root_same"))
	} else if o.Anchored {
		lines = append(lines, o.say("key_same"))
	}
	witness := checkpoint.WitnessName(o.Manifest.Registry)
	switch {
	case o.Cosigned == o.Manifest.End():
		lines = append(lines, o.say("cosigned_all", o.local(o.CosignedAt), witness))
	case o.Cosigned > 0:
		lines = append(lines, o.say("cosigned_some", o.Cosigned, o.local(o.CosignedAt), witness))
	}
	stamp, _ := o.stampProved()
	lines = append(lines, stamp...)
	all, named, known := o.accepted()
	lines = append(lines, o.say("accepted", all, named))
	for kind, n := range known {
		if n > 0 {
			lines = append(lines, "  "+o.say(fmt.Sprintf("opening_%d", kind), n))
		}
	}
	return lines
}

// notProved are the sentences of what is not proved.
func (o opened) notProved() (lines []string) {
	say := func(so bool, key string, args ...any) {
		if so {
			lines = append(lines, o.say(key, args...))
		}
	}
	m := o.Manifest
	say(!o.Anchored && o.Root != nil, "root_unknown")
	say(!o.Anchored && o.Root == nil, "key_unknown")
	say(o.Cosigned == 0, "not_cosigned")
	say(o.Cosigned > 0 && o.Cosigned < m.End(), "not_cosigned_some", o.Cosigned, m.End()-o.Cosigned)
	say(!o.LogSigned, "log_not_signed")
	_, stamp := o.stampProved()
	lines = append(lines, stamp...)
	say(m.Registry != "", "only_registry")
	say(true, "not_entered")
	say(true, "said_by_"+string(o.SignedBy))
	bad, pinned := o.badClocks()
	say(bad > 0, "times", bad, pinned)
	say(m.Counts.Withheld > 0, "withheld", m.Counts.Withheld)
	say(m.Erased, "erased")
	others := o.otherEpochs()
	say(len(others) > 0, "more_epochs", strings.Join(others, ", "))
	return lines
}

// badClocks counts the entries whose clock could not be relied on, and those of them that a pin
// corrects.
func (o opened) badClocks() (bad, pinned int) {
	for _, e := range o.Entries {
		if e.Header.Clock < wire.ClockNTP {
			bad++
		}
		if e.Pinned {
			pinned++
		}
	}
	return bad, pinned
}

func (o opened) otherEpochs() (all []string) {
	for _, h := range o.Manifest.Epochs {
		if h.Epoch != o.Manifest.Epoch {
			all = append(all, fmt.Sprintf("%016x", uint64(h.Epoch)))
		}
	}
	return all
}
