// Command registryd is the reference central registry. `serve` is its front,
// the only process that gateways reach; the other commands talk to the front or
// to the issuer over their unix sockets.
//
// Results go to standard output, questions and faults to standard error. No
// command prints a name, a card or an ID number.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	_ "time/tzdata" // a small system has no time zones of its own

	"github.com/alecthomas/kong"

	"gatehouse/cmd/registryd/internal/answer"
	"gatehouse/cmd/registryd/internal/certify"
	"gatehouse/cmd/registryd/internal/corrections"
	"gatehouse/cmd/registryd/internal/notices"
	"gatehouse/cmd/registryd/internal/retention"
	"gatehouse/cmd/registryd/internal/transparency"
	"gatehouse/internal/command"
	"gatehouse/internal/input"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// cli is the command line; kong reads it from the tags.
type cli struct {
	Front  string `help:"The front's socket." default:"/var/lib/gatehouse-registry/front/front.sock" env:"GATEHOUSE_FRONT" placeholder:"PATH"`
	Issuer string `help:"The issuer's socket." default:"/var/lib/gatehouse-registry/issuer/issuer.sock" env:"GATEHOUSE_ISSUER" placeholder:"PATH"`
	JSON   bool   `help:"Print JSON for programs."`

	Init        initCmd          `cmd:"" help:"Make the keys of a registry: three directories, for front, issuer and stick."`
	Ceremony    ceremonyCmd      `cmd:"" help:"The same with two people: keys on sticks that are proved, and a record to sign; the yearly look; back from a stick."`
	Trust       certify.Trust    `cmd:"" help:"Whose signatures count: show it, or say it anew with the root's key."`
	Approver    certify.Approver `cmd:"" help:"Who signs mandates, each for a town or a district: certified and revoked with the root's key."`
	Policy      certify.Policy   `cmd:"" help:"For how long it is kept who passed, at most: signed with the root's key for front and gateways."`
	RenewServer renewServerCmd   `cmd:"" help:"Give the front its next certificate."`

	Clock    clockCmd    `cmd:"" help:"What time the registry goes by, and what speaks against it."`
	Serve    serveCmd    `cmd:"" help:"Be the front: broker, enrolment and store of a registry."`
	Status   statusCmd   `cmd:"" help:"Show how front and issuer are, what is wrong, and what to do."`
	Gateways gatewaysCmd `cmd:"" help:"Show every gateway: connected, stored, lists proved, alarms."`
	Entries  entriesCmd  `cmd:"" help:"Show stored entries: times and doors, nobody's card."`
	VKeys    vkeysCmd    `cmd:"" name:"vkeys" help:"Print the public keys with which anybody checks cosigned checkpoints."`
	Alarms   alarmsCmd   `cmd:"" help:"Show what gateways raised an alarm for."`

	Backup   backupCmd   `cmd:"" help:"Copy both databases while they are in use."`
	Snapshot snapshotCmd `cmd:"" help:"Backups of gateways that are kept here, for the day on which one burns; only the landlord's recovery code opens them."`
	Restored restoredCmd `cmd:"" help:"Show what came to light when databases were put back."`

	Issue        issueCmd                `cmd:"" help:"Be the issuer: sign lists, house documents and certificates."`
	IssuerState  issuerCmd               `cmd:"" name:"issuer" help:"Show how the issuer is."`
	Gateway      gatewayCmd              `cmd:"" help:"Let gateways enrol, list and remove them."`
	Tenancies    tenanciesCmd            `cmd:"" help:"Show tenancies: flats, states and times, nobody's name."`
	Grants       grantsCmd               `cmd:"" help:"Show grants: what the cards of tenancies may open, and until when."`
	Officer      certify.Officer         `cmd:"" help:"Officers' keys: enrolled with a unit, for mandates, for orders to preserve, to receive answers."`
	Revoke       revokeCmd               `cmd:"" help:"End a grant for good; the gateways hear of it at once."`
	End          endCmd                  `cmd:"" help:"End a tenancy for good."`
	Reinstate    reinstateCmd            `cmd:"" help:"Make new grants in the place of ended ones: the same tenancy and cards."`
	Suspend      suspendCmd              `cmd:"" help:"Stop cards for a while: a lost card."`
	Resume       resumeCmd               `cmd:"" help:"Bring suspended cards back."`
	ConfirmCard  confirmCardCmd          `cmd:"" name:"confirm-card" help:"Confirm that a card which the landlord gave is the tenant's."`
	Pass         passCmd                 `cmd:"" help:"Print a pass: a QR code's text that opens once, within minutes."`
	Dispute      disputeCmd              `cmd:"" help:"Notices that a tenant objects to."`
	Lists        listsCmd                `cmd:"" help:"Show the newest lists, and what waits for a second signature."`
	Countersign  countersignCmd          `cmd:"" help:"Sign a list that takes something from many tenancies, as a second issuer."`
	Offers       offersCmd               `cmd:"" help:"Show what gateways hold that this registry may not believe, and decide on it."`
	House        houseCmd                `cmd:"" help:"House documents, for a registry that lost everything."`
	Person       personCmd               `cmd:"" help:"Show who a tenancy is, with the records key; it is written down first."`
	Query        answer.Query            `cmd:"" help:"Answer a mandate from the stored log, with the records key: evidence that only its recipient opens."`
	Answers      answer.Answers          `cmd:"" help:"List the answers that were given under mandates: reference, when, which use, complete or not; never what they have."`
	Mandate      answer.Mandate          `cmd:"" help:"Emergencies that wait for a second authority: list them, take its word. Mandates that were refused."`
	Notices      notices.Notices         `cmd:"" help:"Tell those whom a mandate asked about, once its approver allows it: what is due, sheets to print, what is done."`
	Told         notices.Told            `cmd:"" help:"Show a resident at the counter which inquiries concern the tenancy, of those that may be told of now; it is written down first."`
	Sealed       sealedCmd               `cmd:"" help:"Show what was asked of gateways on site under a mandate, with the records key."`
	Corrections  corrections.Corrections `cmd:"" help:"What residents ask to have put right: show it with the records key, close what was answered."`
	Forget       retention.Forget        `cmd:"" help:"Erase whom the entries of a tenancy name, on a resident's request or a court's order."`
	Preserve     retention.Preserve      `cmd:"" help:"Take an enrolled officer's signed order: a span of a door's entries is not erased for a week."`
	Preserved    retention.Preserved     `cmd:"" help:"Show the orders to preserve that are active."`
	Transparency transparency.Publish    `cmd:"" help:"Publish how often the log was queried in a quarter, by town, and a list that shows which mandates were answered."`
	BuildingKey  buildingKeyCmd          `cmd:"" help:"Take a building's key out of escrow, for a house that lost its last gateway."`
	Publish      publishCmd              `cmd:"" help:"Hand all lists and house documents to the front again."`
	Audit        auditCmd                `cmd:"" help:"Show who did what at the issuer."`

	Version kong.VersionFlag `help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit status: 0 done, 1 failed, 2 called wrongly.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	tool := command.Tool{Name: "registryd", Version: version, Out: out, Err: errOut,
		Description: "Central registry of gatehouse: front, issuer, and the commands of its operators."}
	cmd, status := tool.Parse(&c, args)
	if cmd == nil {
		return status
	}
	s := &session{ctx: ctx, front: api.NewClient(c.Front), issuer: operator.NewClient(c.Issuer), states: []string{filepath.Dir(c.Front), filepath.Dir(c.Issuer)}, raw: out,
		Console: command.Console{Name: tool.Name, JSON: c.JSON, In: input.Reader{Ctx: ctx, From: in}, Out: command.Screen{To: out}, Err: command.Screen{To: errOut}}}
	if err := cmd.Run(s, &certify.Session{Console: s.Console, Ctx: ctx, Issuer: s.issuer}, &answer.Session{Console: s.Console, Ctx: ctx, Front: s.front, Issuer: s.issuer, Version: version, Zone: s.zoneOfGateways, Screen: errOut},
		&transparency.Session{Console: s.Console, Ctx: ctx, Front: s.front, Zone: s.zone}, &corrections.Session{Console: s.Console, Ctx: ctx, Front: s.front, Issuer: s.issuer, Zone: s.zone},
		&notices.Session{Console: s.Console, Ctx: ctx, Front: s.front, Issuer: s.issuer, Zone: s.zoneOfGateways, Tenancy: s.tenancyID},
		&retention.Session{Console: s.Console, Ctx: ctx, Front: s.front, Issuer: s.issuer, Zone: s.zoneOfGateways, Tenancy: s.tenancyID}); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		var ended command.Ended
		if errors.As(err, &ended) {
			return ended.Status
		}
		s.Complain(err)
		return 1
	}
	return 0
}
