//go:build !windows

package main

import (
	"context"
	"errors"
	"io"

	"github.com/alecthomas/kong"

	"gatehouse/cmd/gatehouse/internal/backups"
	"gatehouse/cmd/gatehouse/internal/doctor"
	"gatehouse/cmd/gatehouse/internal/exhibit"
	"gatehouse/cmd/gatehouse/internal/frames"
	"gatehouse/cmd/gatehouse/internal/keylist"
	"gatehouse/cmd/gatehouse/internal/mine"
	"gatehouse/cmd/gatehouse/internal/operate"
	"gatehouse/cmd/gatehouse/internal/papers"
	"gatehouse/cmd/gatehouse/internal/query"
	"gatehouse/cmd/gatehouse/internal/readers"
	"gatehouse/cmd/gatehouse/internal/reception"
	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/cmd/gatehouse/internal/setup"
	"gatehouse/cmd/gatehouse/internal/wiring"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/input"
	"gatehouse/internal/network"
)

// cli is the command line; kong reads it from the tags.
type cli struct {
	Socket string `help:"The daemon's socket." default:"/run/gatehouse/gatehouse.sock" env:"GATEHOUSE_SOCKET" placeholder:"PATH"`
	JSON   bool   `help:"Print JSON for programs."`

	Status   operate.Status      `cmd:"" help:"Show how the gateway, its doors and its log are."`
	Doctor   doctor.Doctor       `cmd:"" help:"Look at everything that the gateway stands on, and say what to do; works without the daemon."`
	Log      operate.Log         `cmd:"" help:"Show faults, alarms and what was done here; nobody's comings and goings."`
	Door     operate.Door        `cmd:"" help:"Test a door."`
	Release  operate.Release     `cmd:"" help:"Let people through a door now."`
	Lock     operate.Lock        `cmd:"" help:"Take back a release that was made with release."`
	Prove    operate.Prove       `cmd:"" help:"Prove at each door that people get out, before it counts as ready."`
	Setup    wiring.Setup        `cmd:"" help:"Find the board and the readers, and write the site file."`
	Init     setup.Init          `cmd:"" help:"Make the keys of a building."`
	Enrol    setup.Enrol         `cmd:"" help:"Make this gateway known to a central registry."`
	Recovery backups.Recovery    `cmd:"" help:"The recovery code, and how the backups are."`
	Backup   backups.Backup      `cmd:"" help:"Put a copy of the gateway's backup on a stick."`
	Restore  backups.Restore     `cmd:"" help:"Make this machine the gateway of a backup: another one takes its place."`
	Address  setup.Address       `cmd:"" help:"Where the registry is."`
	Checkin  reception.CheckIn   `cmd:"" help:"Register a tenant who arrives: document, flat, term, then the card."`
	Checkout reception.CheckOut  `cmd:"" help:"End a tenancy: at once with the tenant's card or PIN, else by a notice."`
	Card     reception.Card      `cmd:"" help:"A tenant's lost, found and further cards."`
	Tenancy  reception.Tenancy   `cmd:"" help:"The tenancies of the house."`
	Mine     mine.Mine           `cmd:"" help:"A resident reads what the gateway holds about them, by own PIN and card, takes a copy along, or asks for a correction."`
	Guest    reception.Guest     `cmd:"" help:"Codes that a tenant gives to a visitor, for hours or days."`
	Grant    keylist.Grant       `cmd:"" help:"Give, end, suspend and list keys of a standalone house."`
	Import   keylist.Import      `cmd:"" help:"Take over the cards of an old system from a CSV file."`
	Adopt    keylist.Adopt       `cmd:"" help:"Name the unknown cards of a house that is being taken over."`
	Reader   readers.Reader      `cmd:"" help:"The readers at the doors: pair, re-key, look at them."`
	Teach    readers.LearnFormat `cmd:"" help:"Find out which format a reader sends."`
	Fire     operate.Fire        `cmd:"" help:"Fire drills, and what is to be done after a fire alarm."`
	Clock    operate.Clock       `cmd:"" help:"The gateway's clock."`
	IDCard   reception.IDCard    `cmd:"" name:"idcard" help:"The reader of identity cards at the desk."`
	Decode   frames.Decode       `cmd:"" help:"Read what a reader sends."`
	Encode   frames.Encode       `cmd:"" help:"Print what a reader would send."`
	Profile  setup.Profile       `cmd:"" help:"What is known of boards and readers."`
	Verify   exhibit.Verify      `cmd:"" help:"Say what an evidence file proves, and what not; needs no network and no daemon."`
	Evidence exhibit.Evidence    `cmd:"" help:"Print what is in an evidence file."`
	Mandate  papers.Mandate      `cmd:"" help:"The paper that allows a query of the log: fill it in, sign it, read it, judge it; works without the daemon."`
	Preserve papers.Preserve     `cmd:"" help:"An officer's order to keep a part of the log from erasing for a week, until there is a mandate: sign it, show it to the gateway."`
	Forget   operate.Forget      `cmd:"" help:"Erase whom the log names of a tenancy, by the registry's signed order."`
	Query    query.Query         `cmd:"" help:"Ask the gateway's log what a mandate allows; the answer is sealed to its recipient."`

	Version kong.VersionFlag `help:"Print the version."`
}

// run returns the exit status: 0 done, 1 failed, 2 called wrongly, or what the command says.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	tool := command.Tool{Name: "gatehouse", Version: version, Out: out, Err: errOut,
		Description: "Doors, keys and log of a rental building, over the socket of gatehoused."}
	cmd, status := tool.Parse(&c, args)
	if cmd == nil {
		return status
	}
	s := &session.Session{Ctx: ctx, Version: version, Client: control.NewClientWithin(network.Network{}, c.Socket, control.AnswerWithin),
		Console: command.Console{Name: tool.Name, JSON: c.JSON, In: input.Reader{Ctx: ctx, From: in}, Out: command.Screen{To: out}, Err: command.Screen{To: errOut}}}
	if err := cmd.Run(s, &exhibit.Caller{Console: s.Console, Ctx: ctx}); err != nil {
		var ended command.Ended
		if errors.As(err, &ended) {
			return ended.Status
		}
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		s.Complain(err)
		return 1
	}
	return 0
}
