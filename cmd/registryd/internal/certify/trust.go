// Package certify has the commands of registryd that say whose signatures count: trust documents,
// approvers of mandates, officers. The first two need the root's key on its stick, and no process;
// officers are certified by the issuer.
package certify

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/ceremony"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

// Session is the environment of a command.
type Session struct {
	command.Console
	Ctx    context.Context
	Issuer *operator.Client
}

// table prints rows as JSON, or as a table; none is printed for an empty one.
func table[T any](s *Session, all []T, err error, none string, head []string, row func(T) []string) error {
	return s.Print(all, err, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, none)
			return
		}
		command.Table(w, all, head, row)
	})
}

func clock(t time.Time) string { return calendar.Stamp(t, calendar.Here()) }

// Trust is the command that shows and signs trust documents.
type Trust struct {
	Show trustShowCmd `cmd:"" help:"Show whose signatures count, by the newest trust document."`
	New  trustNewCmd  `cmd:"" help:"Sign the next trust document with the root's key: after a key was lost or stolen, or when the registry moves."`
}

type trustShowCmd struct {
	Dir   string `help:"The issuer's directory." default:"/var/lib/gatehouse-registry/issuer" placeholder:"DIRECTORY"`
	Front string `name:"front-dir" help:"Also the front's directory." placeholder:"DIRECTORY"`
}

func (c trustShowCmd) Run(s *Session) error {
	t, err := authority.ShowTrust(c.Dir, c.Front)
	return s.Print(t, err, func(w io.Writer) { writeTrust(w, t) })
}

func writeTrust(w io.Writer, t authority.TrustStatement) {
	fmt.Fprintf(w, "registry %s: trust document %d of %s\n", t.Registry, t.Version, clock(t.Issued))
	for _, k := range t.Keys {
		fmt.Fprintf(w, "key      %s, epoch %d, %s\n", k.Role, k.Epoch, k.ID)
	}
	for _, ca := range t.CAs {
		fmt.Fprintf(w, "ca       until %s, %s\n", clock(ca.Until), ca.ID)
	}
	for _, a := range t.Approvers {
		fmt.Fprintf(w, "approver %s, %s, %s\n", a.Seat, within(a.District, a.Town), a.ID)
	}
	writePolicy(w, t)
	for _, f := range t.False {
		fmt.Fprintf(w, "false    %s: what its keys alone made anybody believe is void\n", f)
	}
	for _, a := range t.Addresses {
		fmt.Fprintf(w, "address  %s\n", a)
	}
}

type trustNewCmd struct {
	Root    string   `required:"" help:"root.key, on its stick." placeholder:"FILE"`
	Dir     string   `help:"The issuer's directory." default:"/var/lib/gatehouse-registry/issuer" placeholder:"DIRECTORY"`
	Front   string   `name:"front-dir" help:"The front's directory, where it is on this machine." placeholder:"DIRECTORY"`
	Replace []string `help:"Make a new key in the place of this one: issuer, second (beside --root), witness or ca; the CA before stays beside it until it is over." placeholder:"KEY"`
	Drop    []string `help:"Id of the key that goes, as trust show lists it: only where its file is gone; or of a CA that is used no more." placeholder:"ID"`
	AsFalse bool     `name:"as-false" help:"What the replaced keys said was not so, as a thief's: gateways drop what they believed by these alone."`
	Add     []string `name:"address" help:"One more address of the registry: https://host:port of enrolment, mqtts://host:port of the broker." placeholder:"URL"`
	Remove  []string `help:"Take an added address out again." placeholder:"URL"`
}

func (c trustNewCmd) Run(s *Session) error {
	switch {
	case len(c.Replace)+len(c.Add)+len(c.Remove)+len(c.Drop) == 0:
		return socket.Hinted("--replace KEY, --address URL, --remove URL or --drop ID", "the next document would say the same")
	case c.AsFalse && len(c.Replace) == 0:
		return socket.Hinted("with --replace issuer or --replace witness", "--as-false is about keys that are replaced")
	}
	return signTrust(s, authority.NextTrust{Dir: c.Dir, Front: c.Front, Root: c.Root, Replace: c.Replace, Drop: c.Drop, False: c.AsFalse, Add: c.Add, Remove: c.Remove, Now: time.Now()})
}

// signTrust signs the next trust document, renews the copy on the stick, and says what is left to do.
func signTrust(s *Session, next authority.NextTrust) error {
	done, err := next.Sign()
	if err == nil {
		_, err = ceremony.Renew(filepath.Dir(next.Root), next.Dir, next.Front)
	}
	return s.Print(done, err, func(w io.Writer) {
		writeTrust(w, done.Trust)
		for _, k := range done.Replaced {
			fmt.Fprintf(w, "new      %s in %s%s\n", k.Role, k.File, command.Choose(k.Old == "", "", "; the one before is "+k.Old+": destroy it when all works"))
		}
		for n, step := range stepsAfter(next, done) {
			fmt.Fprintf(w, "then %d   %s\n", n+1, step)
		}
	})
}

// stepsAfter returns the remaining steps.
func stepsAfter(next authority.NextTrust, done authority.SignedTrust) (steps []string) {
	replaced := func(what string) bool {
		return slices.ContainsFunc(done.Replaced, func(k authority.ReplacedKey) bool { return k.Role == what })
	}
	if replaced(authority.ReplaceWitness) {
		steps = append(steps, "start the front again (registryd serve): it signs with the new key from then on")
	}
	also := ""
	if replaced(authority.ReplaceIssuer) {
		also = ", and signs lists and house documents anew"
	}
	steps = append(steps, "start the issuer again (registryd issue): it hands the document to the front, which sends it to all gateways"+also)
	if replaced(authority.ReplaceCA) {
		steps = append(steps, "with a broker of its own: give it the front's ca.pem, which has both CAs",
			fmt.Sprintf("a day later, when the gateways have document %d: registryd renew-server --dir %s --front-dir DIRECTORY; the front's certificate is then by the new CA. "+
				"Gateways renew theirs by themselves; one that is off until the CA before is over is enrolled anew", done.Version, next.Dir))
	}
	return append(steps, "copy "+strings.TrimSuffix(next.Root, "root.key")+" to the second stick")
}
