package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/keyring/copies"
	"gatehouse/internal/keys"
	"gatehouse/internal/progress"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
)

// logbook reads the log of a state directory, beside no daemon.
type logbook struct {
	check          audit.Check
	words          text.Words
	lang           text.Language
	asJSON         bool
	stdout, stderr io.Writer
}

// journalCommand is `gatehoused journal verify|dump`; it returns the exit status.
func journalCommand(args []string, stdout, stderr io.Writer) int {
	const want = misuse("journal: want verify or dump, then the state directory of a gateway")
	if len(args) == 0 {
		return complain(stderr, want)
	}
	flags := flag.NewFlagSet("gatehoused journal", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	lang := flags.String("lang", string(localeLanguage(os.Getenv)), "zh or en")
	asJSON := flags.Bool("json", false, "dump: a JSON object for each entry")
	dir, err := placeOf(flags, args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	l := text.Language(*lang)
	if dir == "" || l != text.Chinese && l != text.English {
		return complain(stderr, want)
	}
	words, err := text.Load()
	if err != nil {
		return complain(stderr, err)
	}
	self, err := os.Executable()
	if err != nil {
		return complain(stderr, err)
	}
	b := &logbook{check: checkOf(dir, self), words: words, lang: l, asJSON: *asJSON, stdout: stdout, stderr: stderr}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	switch args[0] {
	case "verify":
		return b.verify(ctx)
	case "dump":
		return b.dump(ctx)
	}
	return complain(stderr, want)
}

// placeOf reads flags before and behind the one place that they are for; empty: there is none, or more than one.
func placeOf(flags *flag.FlagSet, args []string) (place string, err error) {
	if err = flags.Parse(args); err != nil || flags.NArg() < 2 {
		return flags.Arg(0), err
	}
	place = flags.Arg(0)
	if err = flags.Parse(flags.Args()[1:]); flags.NArg() > 0 {
		place = ""
	}
	return place, err
}

// localeLanguage is that of the terminal, by the variables that every program goes by.
func localeLanguage(env func(string) string) text.Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			if strings.HasPrefix(v, "zh") {
				return text.Chinese
			}
			break
		}
	}
	return text.English
}

// checkOf returns the check of a state directory, or of the journal in one. What lies beside the journal says what
// it must have, and who signs.
func checkOf(dir, self string) audit.Check {
	dir = filepath.Clean(dir)
	for _, sign := range []string{"journal", "grants"} { // grants: somebody took the journal away
		if info, err := os.Stat(filepath.Join(dir, sign)); err == nil && info.IsDir() {
			dir = filepath.Join(dir, "journal")
			break
		}
	}
	state := filepath.Dir(dir)
	c := audit.Check{Dir: dir, Anchors: copies.ReadAnchors(filepath.Join(state, "grants")), Verify: segment.ReportBy(self, "verify")}
	// Only the public ones are used, so that the others may be unreadable or absent.
	if r, _ := keys.LoadRegistry(filepath.Join(state, "keys")); r != nil {
		c.Witness = audit.Witness{Address: r.Place.Address(), Name: checkpoint.WitnessName(r.Name), Keys: r.Trust.Keyset(wire.RoleWitness)}
	}
	return c
}

// verify checks the log and says what it found. Exit status 0: all is whole; 1: something is missing, damaged or
// changed; 75: not all could be checked; 2: there is no log at all.
func (b *logbook) verify(ctx context.Context) int {
	bar := progress.NewBar(b.stderr)
	b.check.Read = bar.Show
	b.check.Tell = func(f audit.Finding) {
		bar.Clear()
		b.say(b.stdout, f)
	}
	worst := b.check.Run(ctx)
	bar.Clear()
	if worst != audit.Absent {
		b.say(b.stdout, audit.Finding{Key: [...]string{audit.Note: "sum_good", audit.Unchecked: "sum_unchecked", audit.Damage: "sum_damaged"}[worst]})
	}
	return exitOf(worst)
}

func (b *logbook) say(to io.Writer, f audit.Finding) {
	fmt.Fprintln(to, b.words.Say(b.lang, "journal."+f.Key, f.Args...))
}

func exitOf(l audit.Level) int {
	switch l {
	case audit.Absent:
		return 2 // as for every wrong call
	case audit.Damage:
		return segment.ExitDamaged
	case audit.Unchecked:
		return segment.ExitNotChecked
	}
	return segment.ExitGood
}

// dump prints what the log says happened, and never to whom. What it finds wrong goes to the other stream.
func (b *logbook) dump(ctx context.Context) int {
	out := bufio.NewWriter(b.stdout)
	enc := json.NewEncoder(out)
	b.check.Tell = func(f audit.Finding) {
		if f.Level != audit.Note {
			b.say(b.stderr, f)
		}
	}
	worst, err := b.check.Dump(ctx, func(p journaled.Position, s journaled.Stored) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e, err := dumped(p, s)
		if err != nil {
			return err
		}
		if b.asJSON {
			return enc.Encode(e)
		}
		_, err = fmt.Fprintln(out, e)
		return err
	})
	if err = errors.Join(err, out.Flush()); err != nil {
		return complain(b.stderr, err)
	}
	return exitOf(worst)
}

// logLine is an entry as dump prints it: all of its header, and of its who part only that there is one.
type logLine struct {
	Epoch     string    `json:"epoch"` // 16 hex digits
	Sequence  uint64    `json:"sequence"`
	Boot      uint64    `json:"boot"`
	Counter   uint64    `json:"counter"`
	BootTime  uint64    `json:"boot_time_ns"`
	Time      time.Time `json:"time"` // as the gateway's clock stood
	Clock     string    `json:"clock"`
	Kind      string    `json:"kind"`
	Outcome   string    `json:"outcome,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Door      string    `json:"door,omitempty"`
	Source    string    `json:"source,omitempty"`
	Direction string    `json:"direction,omitempty"`
	Ref       string    `json:"ref,omitempty"` // boot:counter of the entry that this one belongs to
	Count     uint64    `json:"count,omitempty"`
	Detail    string    `json:"detail,omitempty"` // hex
	Who       string    `json:"who"`              // none, kept or erased
}

func dumped(p journaled.Position, s journaled.Stored) (l logLine, err error) {
	h, err := wire.DecodeHeader(s.Header)
	if err != nil {
		return l, fmt.Errorf("entry %d: %w", p.Sequence, err)
	}
	l = logLine{
		Epoch: fmt.Sprintf("%016x", p.Epoch), Sequence: p.Sequence, Boot: h.Boot, Counter: h.Counter, BootTime: h.BootTime,
		Time: h.Time(), Clock: h.Clock.String(), Kind: h.Kind.String(), Outcome: h.Outcome.String(), Reason: h.Reason.String(),
		Door: h.Door, Source: h.Source, Direction: h.Direction.String(), Count: h.Count, Detail: hex.EncodeToString(h.Detail), Who: "none",
	}
	if h.Ref != nil {
		l.Ref = fmt.Sprintf("%d:%d", h.Ref.Boot, h.Ref.Counter)
	}
	switch {
	case s.Erased:
		l.Who = "erased"
	case len(s.Who) > 0:
		l.Who = "kept"
	}
	return l, nil
}

// mostDetail is the most hex digits of a detail in a line, those of a hash: a sealed entry has many more.
const mostDetail = 64

// String returns the entry as a line: when, by which clock, where it stands, and what happened at which door.
func (l logLine) String() string {
	line := fmt.Sprintf("%s %-8s %s:%d %d:%d %s", l.Time.Format("2006-01-02T15:04:05.000Z07:00"), l.Clock, l.Epoch, l.Sequence, l.Boot, l.Counter, l.Kind)
	for _, part := range []struct{ name, value string }{
		{"", l.Outcome}, {"", l.Reason}, {"door=", l.Door}, {"source=", l.Source}, {"", l.Direction}, {"ref=", l.Ref},
	} {
		if part.value != "" {
			line += " " + part.name + part.value
		}
	}
	if l.Count > 0 {
		line += fmt.Sprintf(" count=%d", l.Count)
	}
	switch {
	case len(l.Detail) > mostDetail:
		line += fmt.Sprintf(" detail=%s... (%d bytes)", l.Detail[:mostDetail], hex.DecodedLen(len(l.Detail)))
	case l.Detail != "":
		line += " detail=" + l.Detail
	}
	return line + " who=" + l.Who
}
