package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/socket"
)

type trustCmd struct {
	Show trustShowCmd `cmd:"" help:"Show whose signatures count, by the newest trust document."`
	New  trustNewCmd  `cmd:"" help:"Sign the next trust document with the root's key: after a key was lost or stolen, or when the registry moves."`
}

type trustShowCmd struct {
	Dir   string `help:"The issuer's directory." default:"/var/lib/gatehouse-registry/issuer" placeholder:"DIRECTORY"`
	Front string `name:"front-dir" help:"Also the front's directory." placeholder:"DIRECTORY"`
}

// Run shows the newest trust document.
func (c trustShowCmd) Run(s *session) error {
	t, err := authority.ShowTrust(c.Dir, c.Front)
	return s.Print(t, err, func(w io.Writer) { writeTrust(w, t) })
}

func writeTrust(w io.Writer, t authority.TrustStatement) {
	fmt.Fprintf(w, "registry %s: trust document %d of %s\n", t.Registry, t.Version, clock(&t.Issued))
	for _, k := range t.Keys {
		fmt.Fprintf(w, "key      %s, epoch %d, %s\n", k.Role, k.Epoch, k.ID)
	}
	for _, ca := range t.CAs {
		fmt.Fprintf(w, "ca       until %s, %s\n", clock(&ca.Until), ca.ID)
	}
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

// Run signs the next trust document.
func (c trustNewCmd) Run(s *session) error {
	switch {
	case len(c.Replace)+len(c.Add)+len(c.Remove)+len(c.Drop) == 0:
		return socket.Hinted("--replace KEY, --address URL, --remove URL or --drop ID", "the next document would say the same")
	case c.AsFalse && len(c.Replace) == 0:
		return socket.Hinted("with --replace issuer or --replace witness", "--as-false is about keys that are replaced")
	}
	done, err := authority.NextTrust{Dir: c.Dir, Front: c.Front, Root: c.Root, Replace: c.Replace, Drop: c.Drop, False: c.AsFalse, Add: c.Add, Remove: c.Remove, Now: time.Now()}.Sign()
	return s.Print(done, err, func(w io.Writer) {
		writeTrust(w, done.Trust)
		for _, k := range done.Replaced {
			fmt.Fprintf(w, "new      %s in %s%s\n", k.Role, k.File, choose(k.Old == "", "", "; the one before is "+k.Old+": destroy it when all works"))
		}
		for n, step := range c.steps(done) {
			fmt.Fprintf(w, "then %d   %s\n", n+1, step)
		}
	})
}

// steps are what is left to do.
func (c trustNewCmd) steps(done authority.SignedTrust) (steps []string) {
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
				"Gateways renew theirs by themselves; one that is off until the CA before is over is enrolled anew", done.Version, c.Dir))
	}
	return append(steps, "copy "+strings.TrimSuffix(c.Root, "root.key")+" to the second stick")
}
