// Package retention is the commands of registryd that erase before its time, and keep beyond it: a tenancy that is to be
// forgotten, and spans that officers have preserved.
//
// It refuses to show which entries were whose: what the records key finds goes to the front as numbers.
package retention

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/holds"
	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/whose"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// Session is the environment of the commands.
type Session struct {
	command.Console
	Ctx     context.Context
	Front   *api.Client
	Issuer  *operator.Client
	Zone    func(building string) (*time.Location, error) // of the building, as its gateways say
	Tenancy func(begin string) (string, error)            // the whole id
}

// Forget are the commands of what is to be forgotten.
type Forget struct {
	Erase Erase `cmd:"" default:"withargs" help:"Erase whom the entries of a tenancy name, or of all under 14, with the records key; it is written down first."`
	List  List  `cmd:"" help:"Show orders to forget that gateways have not confirmed, and what to do."`
}

// Erase is the command that erases whom the entries of a tenancy name.
type Erase struct {
	Tenancy string `arg:"" optional:"" help:"Id of the tenancy, or the first digits of it."`
	Under14 bool   `name:"under-14" help:"Instead of a tenancy: all who are under 14, as far as their time is over."`
	Key     string `required:"" help:"records.key, on its stick." placeholder:"FILE"`
	Reason  string `help:"resident or order." placeholder:"REASON"`
	Case    string `help:"File number of the resident's request or the court's order." placeholder:"TEXT"`
	Order   string `help:"New file for an order to the building's gateways: gatehouse forget takes it there." placeholder:"FILE"`
}

// Run erases whom the entries of a tenancy name. Which entries they are is found here, with the key, and shown to nobody;
// it is written down first that it was done, by whom and why.
func (c Erase) Run(s *Session) error {
	if c.Under14 {
		return c.brief(s)
	}
	key, wrong := c.read()
	var err error
	if c.Tenancy != "" {
		c.Tenancy, err = s.Tenancy(c.Tenancy)
		wrong.Add(err)
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	home, err := s.Issuer.Forget(s.Ctx, operator.Forget{Tenancy: c.Tenancy, Reason: c.Reason, Case: c.Case, Order: c.Order != ""})
	if err == nil && c.Order != "" {
		err = durable.WriteFile(c.Order, home.Order, 0o600)
	}
	if err != nil {
		return err
	}
	found := whose.New(key, c.Tenancy)
	if err := s.Front.Seals(s.Ctx, home.Building, found.Look); err != nil {
		return err
	}
	if found.Opened == 0 && found.Shut > 0 {
		return socket.Hinted("is --key the records.key of this registry? What was sealed before a new one opens with the old one", "this key opens nothing of building %s: nothing is erased", home.Building)
	}
	done, err := s.Front.Forget(s.Ctx, found.Entries())
	return s.Print(map[string]any{"building": home.Building, "erased": done.Erased, "later": done.Later, "shut": found.Shut}, err, func(w io.Writer) {
		c.write(w, home.Building, done, found.Shut)
	})
}

// mostCase is the longest file number that the audit takes, in bytes.
const mostCase = 64

// Faults are what is wrong with the arguments.
func (c Erase) Faults() command.Faults {
	_, wrong := c.read()
	return wrong
}

func (c Erase) read() (key []byte, wrong command.Faults) {
	var err error
	if wrong.Need("--key", c.Key) {
		key, err = loadKey(c.Key)
		wrong.Add(err)
	}
	if c.Under14 {
		return key, wrong
	}
	wrong.Unless(c.Tenancy != "", "租约见 registryd tenancies；全部未满 14 岁的用 --under-14；registryd tenancies shows them; --under-14 is for all who are under 14", "没有写租约 no tenancy is named")
	if reasons := operator.Reasons("forget"); wrong.Need("--reason", c.Reason) {
		wrong.Unless(slices.Contains(reasons, c.Reason), "住户申请写 resident，法院命令写 order；resident for a resident's request, order for a court's", "--reason %q 不是理由 is no reason: %s", c.Reason, strings.Join(reasons, " / "))
	}
	if wrong.Need("--case", strings.TrimSpace(c.Case)) {
		wrong.Unless(len(c.Case) <= mostCase, "写编号，不写经过 write the number, and no story", "--case: 最多 %d 字节 %d bytes at most", mostCase, mostCase)
		wrong.Add(operator.CheckFile(c.Case))
	}
	if c.Order != "" {
		wrong.Add(command.NewFile("--order", c.Order))
	}
	return key, wrong
}

// write says what was done; shut is the number of batches that the key does not open.
func (c Erase) write(w io.Writer, building string, done api.Forgotten, shut int) {
	fmt.Fprintf(w, "%s of building %s erased; its gateways keep theirs until their time is over%s\n", amount.Of(done.Erased, "who part"), building,
		command.Choose(c.Order == "", "", ", or at each: gatehouse forget "+c.Order+"; registryd forget list shows which have not confirmed it"))
	if done.Later > 0 {
		fmt.Fprintf(w, "%s more by themselves, within some weeks\n%s\n", amount.Of(done.Later, "who part"), notForResident)
	}
	if shut > 0 {
		fmt.Fprintf(w, "NOT LOOKED AT: %s that this key does not open; what was sealed before a new records key opens with the old one\n", amount.Of(shut, "batch"))
	}
}

// notForResident keeps the operator from repeating that some parts stay, from which follows that an officer wants them.
const notForResident = "这一行只供登记中心内部：不要告知住户。可以答复：请求已经办理，其余按期自动删除\n" +
	"the line before is for the registry alone: do not pass it on. Say that the request was carried out, and that what is left goes by its age"

// Preserve is the command that takes an officer's order.
type Preserve struct {
	Order string `arg:"" help:"The signed order of an enrolled officer, as gatehouse preserve sign writes it."`
}

// Run has the front keep what the order says.
func (c Preserve) Run(s *Session) error {
	got, err := c.preserve(s)
	if err != nil {
		return err
	}
	h := *got.Hold
	s.warnEmpty(h, got.DoorUnknown)
	return s.Print(h, nil, func(w io.Writer) {
		zone := s.zone(h)
		fmt.Fprintf(w, "%s: nothing of %s at %s from %s to %s is erased before %s\n", h.ID, h.Door, h.Gateway, calendar.Stamp(h.From, zone), calendar.Stamp(h.To, zone), calendar.Stamp(h.Ends, zone))
	})
}

// preserve shows the order to the front, if the issuer has its officer on the list.
func (c Preserve) preserve(s *Session) (got api.Preserved, err error) {
	envelope, err := command.ReadFile(s.Ctx, c.Order, wire.MaxMessage, "写明 gatehouse preserve sign --out 写出的保全令 name the signed order, which gatehouse preserve sign --out wrote")
	if err != nil {
		return got, err
	}
	if got.Refusal, err = s.enrolled(envelope); err == nil && got.Refusal == nil {
		got, err = s.Front.Preserve(s.Ctx, api.Order{Envelope: envelope})
	}
	if err == nil && got.Refusal != nil {
		err = socket.Hinted(got.Refusal.Do.ZH+" "+got.Refusal.Do.EN, "the order is refused: %s: %v", got.Refusal.Name, got.Refusal)
	}
	return got, err
}

// zone is that of the building which an order is for; this machine's where nobody knows it, since what was done must be told.
func (s *Session) zone(h api.Hold) *time.Location {
	building, _, _ := strings.Cut(h.Gateway, "/")
	zone, err := s.Zone(building)
	if err != nil {
		return calendar.Here()
	}
	return zone
}

// enrolled refuses an order by who is not on the list of officers. What is no order is the front's to refuse.
func (s *Session) enrolled(envelope []byte) (*mandate.Refusal, error) {
	o, _, err := mandates.ReadOrder(envelope)
	if err != nil {
		return nil, nil
	}
	officer, _, err := mandates.ReadCertificate(o.Certificate)
	if err != nil {
		return nil, nil
	}
	all, err := s.Issuer.Officers(s.Ctx)
	key := wire.IDOf(officer.Public[:])
	return holds.Enrolled(slices.ContainsFunc(all, func(o operator.Officer) bool { return o.ID == hex.EncodeToString(key[:]) && !o.Revoked })), err
}

// warnEmpty tells of a span with nothing in it, and of a door that may have another name.
func (s *Session) warnEmpty(h api.Hold, doorUnknown bool) {
	if doorUnknown {
		fmt.Fprintf(s.Err, "the doors of %s are not known here: nobody looked whether it has a door %s\nhint: gatehouse status in the house names its doors\n", h.Gateway, h.Door)
	}
	building, gateway, _ := strings.Cut(h.Gateway, "/")
	found := false
	f := api.EntryFilter{Building: building, Gateway: gateway, Door: h.Door, From: h.From, To: h.To, Limit: 1}
	if _, err := s.Front.Entries(s.Ctx, f, func(api.Entry) error { found = true; return nil }); err == nil && !found {
		fmt.Fprintf(s.Err, "nothing of door %s in that time is stored here yet: what comes is kept as well\n", h.Door)
	}
}

// Preserved is the command that lists the orders.
type Preserved struct{}

// Run shows the orders that are active.
func (Preserved) Run(s *Session) error {
	all, err := s.Front.Holds(s.Ctx)
	return s.Print(all, err, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "none")
			return
		}
		command.Table(w, all, []string{"ID", "GATEWAY", "DOOR", "FROM", "TO", "ENDS", "OFFICER", "UNIT", "CASE"}, func(h api.Hold) []string {
			zone := s.zone(h)
			return []string{h.ID, h.Gateway, h.Door, calendar.Stamp(h.From, zone), calendar.Stamp(h.To, zone), calendar.Stamp(h.Ends, zone), h.Officer, h.Unit, h.Case}
		})
	})
}
