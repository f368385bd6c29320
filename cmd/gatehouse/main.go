// Command gatehouse is the tool of landlord, installer and police. It talks to
// the daemon of the building over its unix socket, and signs what the daemon
// only verifies.
//
// Results go to standard output, questions and faults to standard error. Card
// numbers come by swipe or standard input, never by command line, where every
// user of the machine could read them.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // a small system has no time zones of its own

	"github.com/alecthomas/kong"

	"gatehouse/internal/command"
	"gatehouse/internal/control"
)

// version is set by the packager with -ldflags.
var version = "dev"

// cli is the command line; kong reads it from the tags.
type cli struct {
	Socket string `help:"The daemon's socket." default:"/run/gatehouse/gatehouse.sock" env:"GATEHOUSE_SOCKET" placeholder:"PATH"`
	JSON   bool   `help:"Print JSON for programs."`

	Status   statusCmd   `cmd:"" help:"Show how the gateway, its doors and its log are."`
	Log      logCmd      `cmd:"" help:"Show faults, alarms and what was done here; nobody's comings and goings."`
	Door     doorCmd     `cmd:"" help:"Test a door."`
	Release  releaseCmd  `cmd:"" help:"Let people through a door now."`
	Init     initCmd     `cmd:"" help:"Make the keys of a building."`
	Enrol    enrolCmd    `cmd:"" help:"Make this gateway known to a central registry."`
	Address  addressCmd  `cmd:"" help:"Where the registry is."`
	Checkin  checkInCmd  `cmd:"" help:"Register a tenant who arrives: document, flat, term, then the card."`
	Checkout checkOutCmd `cmd:"" help:"End a tenancy: at once with the tenant's card or PIN, else by a notice."`
	Card     cardCmd     `cmd:"" help:"A tenant's lost, found and further cards."`
	Tenancy  tenancyCmd  `cmd:"" help:"The tenancies of the house."`
	Grant    grantCmd    `cmd:"" help:"Give, end, suspend and list keys of a house by itself."`
	Import   importCmd   `cmd:"" help:"Take over the cards of an old system from a CSV file."`
	Adopt    adoptCmd    `cmd:"" help:"Name the unknown cards of a house that is being taken over."`
	Reader   readerCmd   `cmd:"" help:"The readers at the doors: pair, re-key, look at them."`
	Teach    teachCmd    `cmd:"" help:"Find out which format a reader sends."`
	Fire     fireCmd     `cmd:"" help:"After a fire alarm."`
	Clock    clockCmd    `cmd:"" help:"The gateway's clock."`
	IDCard   idCardCmd   `cmd:"" name:"idcard" help:"The reader of identity cards at the desk."`
	Decode   decodeCmd   `cmd:"" help:"Read what a reader sends."`
	Encode   encodeCmd   `cmd:"" help:"Print what a reader would send."`
	Profile  profileCmd  `cmd:"" help:"What is known of boards and readers."`

	Version kong.VersionFlag `help:"Print the version."`
}

// session is what a command works with.
type session struct {
	ctx    context.Context
	client *control.Client
	json   bool
	in     io.Reader
	out    io.Writer
	err    io.Writer // questions and remarks
}

// lastWord bounds what is still said to the daemon when a command is over, or was
// interrupted.
const lastWord = 10 * time.Second

// parting is a context for that.
func (s *session) parting() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(s.ctx), lastWord)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit status: 0 done, 1 failed, 2 called wrongly.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	tool := command.Tool{Name: "gatehouse", Version: version, Out: out, Err: errOut,
		Description: "Doors, keys and log of a rental building, over the socket of gatehoused."}
	cmd, status := tool.Parse(&c, args)
	if cmd == nil {
		return status
	}
	s := &session{ctx: ctx, client: control.NewClient(c.Socket), json: c.JSON, in: in, out: command.Screen{To: out}, err: command.Screen{To: errOut}}
	if err := cmd.Run(s); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		s.complain(err)
		return 1
	}
	return 0
}

// complain prints an error and what to do about it.
func (s *session) complain(err error) { command.Complain(s.err, "gatehouse", s.json, err) }

// hinted is an error that says what to do.
func hinted(hint, format string, args ...any) error { return command.Hinted(hint, format, args...) }

// print writes v as JSON, or lets people do.
func (s *session) print(v any, people func(io.Writer)) error {
	return command.Print(s.out, s.json, v, people)
}

// encode writes one JSON object on a line of its own.
func (s *session) encode(v any) error { return command.Encode(s.out, v) }
