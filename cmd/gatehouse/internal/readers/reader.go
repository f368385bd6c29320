// Package readers has the commands for the readers at the doors: list, pair, re-key, configure, and
// find out a format.
package readers

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// Reader is the group of commands for OSDP readers; it also lists all readers.
type Reader struct {
	List    readerListCmd    `cmd:"" help:"Show the readers, how each line is protected, and what OSDP readers say of themselves."`
	Install readerInstallCmd `cmd:"" help:"Pair an OSDP reader: for some minutes it may take a new key."`
	Rekey   readerRekeyCmd   `cmd:"" help:"Give a paired OSDP reader another key."`
	Set     readerSetCmd     `cmd:"" help:"Give an OSDP reader another address or baud rate; then change the site file."`
}

type readerListCmd struct{}

func (readerListCmd) Run(s *session.Session) error {
	all, err := s.Client.Readers(s.Ctx)
	return s.Print(all, err, func(w io.Writer) { writeReaders(w, all) })
}

func writeReaders(w io.Writer, all []control.Reader) {
	var table strings.Builder // text of an OSDP reader must not widen the columns
	var cells [][]string
	for _, r := range all {
		cells = append(cells, []string{r.Door + "/" + r.ID, r.Type, fmt.Sprintf("line %s", r.Line), session.DeviceState(r.Online, r.Fault)})
	}
	command.Columns(&table, cells)
	lines := strings.Split(table.String(), "\n")
	for i, r := range all {
		fmt.Fprintln(w, lines[i])
		if o := r.OSDP; o != nil {
			fmt.Fprintf(w, "  %s, address %d, %d baud: %s\n  %s\n", o.Port, o.Address, o.Baud, readerName(*o), busState(*o))
		}
	}
	if slices.ContainsFunc(all, func(r control.Reader) bool { return r.Line == control.LineUnguarded || r.Line == control.LineClear }) {
		fmt.Fprintln(w, "\nWhoever reaches the wires of a line that is not protected can read cards and send them again.\nOSDP readers with a key of their own are safe from that.")
	}
	for _, r := range all {
		if r.Hint != "" {
			fmt.Fprintf(w, "  - %s/%s: %s\n", r.Door, r.ID, r.Hint)
		}
	}
}

func readerName(o control.OSDP) string {
	if o.Vendor == "" {
		return "has not said who it is"
	}
	return fmt.Sprintf("vendor %s model %d version %d serial %s firmware %s", o.Vendor, o.Model, o.Version, o.Serial, o.Firmware)
}

func busState(o control.OSDP) string {
	s := amount.Of(o.Retries, "retry") + ", " + amount.Of(o.Bad, "bad frame")
	if o.BadMACs > 0 {
		s += ", " + amount.Of(o.BadMACs, "BAD MAC")
	}
	if o.Tamper {
		s += ", TAMPER"
	}
	if o.Power {
		s += ", POWER FAILS"
	}
	if o.Install {
		s += ", INSTALL WINDOW OPEN"
	}
	return s
}

// oneReader identifies a reader.
type oneReader struct {
	Door   string `arg:"" help:"The door."`
	Reader string `arg:"" help:"The reader's id at that door."`
}

type readerInstallCmd struct {
	oneReader
	Minutes int  `default:"10" help:"How long the window is open, 1 to 10."`
	Close   bool `help:"Close the window now."`
}

func (readerInstallCmd) Help() string {
	return `A reader as it is delivered, or after a reset, has the key that everybody knows.
While the window is open the gateway accepts that key from this one reader and
gives it a random key of its own; then the window closes. Whoever listens to the
line in that moment can read the new key: pair where nobody can reach the cable,
best with the reader on a short cable at a desk. The log keeps that the window
was open and what became of the key.`
}

const (
	// installPoll is the period of looks whether the reader is paired.
	installPoll = 500 * time.Millisecond
	// installSettle is how long a line may take to be secured once the window is over: the proof of
	// the new key closes it, and the line follows.
	installSettle = 3 * time.Second
)

func (c readerInstallCmd) Run(s *session.Session) error {
	if c.Close {
		if err := s.Client.CloseInstall(s.Ctx, c.Door, c.Reader); err != nil {
			return err
		}
		fmt.Fprintf(s.Err, "the window of reader %s of door %s is closed\n", c.Reader, c.Door)
		return nil
	}
	// An unneeded window would let another reader in.
	if r, err := c.find(s, true); err == nil && r.Online && r.Line == control.LineSecured {
		return socket.Hinted("gatehouse reader rekey gives it another key; for another reader in its place, take this one off the bus first",
			"reader %s of door %s is paired already: it has a key of its own and its line is secured", c.Reader, c.Door)
	}
	r, err := c.pair(s)
	return s.Print(r, err, func(w io.Writer) {
		fmt.Fprintf(w, "reader %s of door %s is paired: it has a key of its own and its line is secured\n", c.Reader, c.Door)
	})
}

// pair opens the window and waits for the result.
func (c readerInstallCmd) pair(s *session.Session) (r control.Reader, err error) {
	if err := s.Client.Install(s.Ctx, c.Door, c.Reader, control.Install{Minutes: c.Minutes}); err != nil {
		if s.Ctx.Err() != nil {
			c.giveUp(s)
		}
		return r, err
	}
	fmt.Fprintf(s.Err, "the window is open for %s: set the reader to install mode if it has one (Ctrl-C closes the window)\n", amount.Of(c.Minutes, "minute"))
	r, err = paired(s.Ctx, func() (control.Reader, error) { return c.find(s, true) })
	if err != nil {
		c.giveUp(s)
		return r, err
	}
	if r.Line != control.LineSecured {
		hint := cmp.Or(r.Hint, "reset the reader to its delivered key or set it to install mode, then try again; gatehouse reader list shows what it says")
		return r, socket.Hinted(hint, "the window is over and reader %s of door %s is not paired", c.Reader, c.Door)
	}
	return r, nil
}

// giveUp closes the window, which the daemon would keep open.
func (c readerInstallCmd) giveUp(s *session.Session) {
	last, cancel := s.Parting()
	defer cancel()
	if err := s.Client.CloseInstall(last, c.Door, c.Reader); err != nil {
		fmt.Fprintf(s.Err, "the window may be open still: %v\n", err)
	} else {
		fmt.Fprintln(s.Err, "the window is closed; gatehouse reader list shows how the reader is")
	}
}

// paired polls a reader until its window is over, and then for a while whether its line gets
// secured. It fails only if it can't poll.
func paired(ctx context.Context, look func() (control.Reader, error)) (control.Reader, error) {
	tick := time.NewTicker(installPoll)
	defer tick.Stop()
	var settled <-chan time.Time
	for {
		r, err := look()
		if err != nil || !r.OSDP.Install && r.Line == control.LineSecured {
			return r, err
		}
		if !r.OSDP.Install && settled == nil {
			settled = time.After(installSettle)
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-settled:
			return look()
		case <-tick.C:
		}
	}
}

// find returns the reader; with osdp it must be an OSDP one.
func (r oneReader) find(s *session.Session, osdp bool) (control.Reader, error) {
	all, err := s.Client.Readers(s.Ctx)
	if err != nil {
		return control.Reader{}, err
	}
	for _, o := range all {
		if o.Door == r.Door && o.ID == r.Reader && (o.OSDP != nil || !osdp) {
			return o, nil
		}
	}
	return control.Reader{}, socket.Hinted("gatehouse reader list shows them", "no %s %s at door %s", command.Choose(osdp, "OSDP reader", "reader"), r.Reader, r.Door)
}

type readerRekeyCmd struct{ oneReader }

func (c readerRekeyCmd) Run(s *session.Session) error {
	if err := s.Client.Rekey(s.Ctx, c.Door, c.Reader); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "reader %s of door %s has a new key\n", c.Reader, c.Door)
	return nil
}

// busRates are the baud rates of OSDP (SIA OSDP 2.2).
var busRates = []int{9600, 19200, 38400, 57600, 115200, 230400}

type readerSetCmd struct {
	oneReader
	Address *int `help:"New address, 0 to 126."`
	Baud    *int `help:"New baud rate: 9600, 19200, 38400, 57600, 115200 or 230400."`
}

func (c readerSetCmd) Run(s *session.Session) error {
	r, err := c.find(s, true)
	if err != nil {
		return err
	}
	in := control.Configure{Address: r.OSDP.Address, Baud: r.OSDP.Baud}
	if c.Address == nil && c.Baud == nil {
		return socket.Hinted("--address N, --baud N", "say what to set")
	}
	if c.Address != nil {
		in.Address = *c.Address
	}
	if c.Baud != nil {
		if !slices.Contains(busRates, *c.Baud) {
			return socket.Hinted("one of 9600, 19200, 38400, 57600, 115200, 230400", "OSDP knows no %d baud", *c.Baud)
		}
		in.Baud = *c.Baud
	}
	if err := s.Client.Configure(s.Ctx, c.Door, c.Reader, in); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "reader %s of door %s has address %d at %d baud now: write address = %d and baud = %d into the site file, then start the daemon again\n",
		c.Reader, c.Door, in.Address, in.Baud, in.Address, in.Baud)
	return nil
}
