package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"gatehouse/cmd/gatesim/internal/fleet"
	"gatehouse/cmd/gatesim/internal/play"
	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/amount"
)

// fleetCmd plays many light gateways at one registry.
type fleetCmd struct {
	Gateways    int           `default:"100" help:"How many gateways, each in a building of its own."`
	Rate        float64       `help:"Entries a second of all together, five a passage; 0: one a gateway in 40 s, as in a city's busiest hour." default:"0" placeholder:"ENTRIES"`
	For         time.Duration `help:"How long people come and go, once all gateways are connected." default:"30s"`
	Revocations int           `help:"Cards that are suspended in that time, each in a building by chance." default:"100"`
	Settle      time.Duration `default:"5m" help:"How long the gateways may take to be in step, and the last entries to be signed for. What is neither signed for nor stored then is waiting, not lost."`
	JSON        bool          `name:"json" help:"Print what was seen as JSON."`
	Dir         string        `help:"Directory for the registry, new or empty; it stays. Default: one that is removed." placeholder:"DIR"`
}

// busiest is how many entries a gateway makes in a second of a city's busiest hour: 5,000 of 203,200.
const busiest = 1.0 / 40

// Run returns nil only if all gateways were in step, and every entry is stored once.
func (c fleetCmd) Run(ctx context.Context, s process.Streams) (err error) {
	if err := process.Loopback(); err != nil {
		return err
	}
	dir, remove, err := demoCmd{Dir: c.Dir}.directory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if c.Rate == 0 {
		c.Rate = busiest * float64(c.Gateways)
	}
	seen := progress{out: s.Err, live: isTerminal(s.Err), gateways: c.Gateways}
	f, err := fleet.New(ctx, fleet.Options{Dir: dir, Gateways: c.Gateways, Rate: c.Rate, For: c.For, Revocations: c.Revocations, Settle: c.Settle, Tell: seen.tell})
	if err != nil {
		return err
	}
	r, err := f.Run(ctx)
	seen.end()
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped before the end")
		}
		play.Tail(s.Err, f.Log())
		return err
	}
	if c.JSON {
		out := json.NewEncoder(s.Out)
		out.SetIndent("", "  ")
		err = out.Encode(r)
	} else {
		r.Print(s.Out)
	}
	if err == nil && !r.Good() {
		err = process.ExitCode(1)
	}
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress tells how far a fleet is: on a terminal in one line that changes, elsewhere in a line for
// each thing that begins.
type progress struct {
	out      io.Writer
	live     bool
	gateways int
	doing    string
}

func (p *progress) tell(now fleet.Progress) {
	switch {
	case p.live:
		fmt.Fprintf(p.out, "\r\x1b[K%s: %d of %s in step, %s, %d not signed for yet", now.Doing, now.Connected, amount.Of(p.gateways, "gateway"),
			amount.Of(now.Entries, "entry"), now.Unacked)
	case now.Doing != p.doing:
		fmt.Fprintln(p.out, now.Doing)
	}
	p.doing = now.Doing
}

// end leaves the terminal's line to whatever comes next.
func (p *progress) end() {
	if p.live {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
