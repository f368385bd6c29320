package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/registry/ceremony"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// configTemplate is the front's configuration file as init writes it. It does not contain its own
// path, so that a directory which was restored elsewhere serves from there.
const configTemplate = `# The front of registry %q. docs/registry.md describes every key.
# state = this file's directory
# broker = "embedded"              # or mqtts://host:port of another one
mqtt_listen = ":%d"
enrol_listen = ":%d"
`

type initCmd struct {
	Registry string   `required:"" help:"The registry's id: a-z, 0-9 and hyphens." placeholder:"NAME"`
	Host     []string `required:"" help:"Name or address under which gateways reach the front, maybe with the port of enrolment; the first stands in tokens." placeholder:"HOST[:PORT]"`
	Broker   int      `help:"Port of the broker." default:"8883" placeholder:"PORT"`
	Dir      string   `help:"Where the three directories are made." default:"/var/lib/gatehouse-registry" placeholder:"DIRECTORY"`
}

func (c initCmd) Run(s *session) error {
	setup, dir, err := c.place()
	if err != nil {
		return err
	}
	front := filepath.Join(dir, authority.DirFront)
	err = authority.Init(dir, setup)
	return s.Print(map[string]string{"front": front, "issuer": filepath.Join(dir, authority.DirIssuer), "offline": filepath.Join(dir, authority.DirOffline)}, err,
		func(w io.Writer) {
			fmt.Fprintf(w, "%s  for registryd serve: no key in it signs a list or opens a seal\n", front)
			fmt.Fprintf(w, "%s  for registryd issue: another user, better another machine\n", filepath.Join(dir, authority.DirIssuer))
			fmt.Fprintf(w, "%s  take it off this machine now: copy it to two sticks, check them, delete it here.\n", filepath.Join(dir, authority.DirOffline))
			fmt.Fprintln(w, "  root.key     changes whom gateways trust; needed when a key is replaced")
			fmt.Fprintln(w, "  second.key   second signature for lists that end many tenancies; best with another person")
			fmt.Fprintln(w, "  records.key  opens names and who went through a door; needed for registryd person")
			fmt.Fprintln(w, "  escrow.key   opens building keys; needed when a building's last gateway is lost")
		})
}

// place returns what is to be made, and the directory for its directories.
func (c initCmd) place() (setup authority.Setup, dir string, err error) {
	if setup, err = c.setup(); err != nil {
		return setup, "", err
	}
	if dir, err = filepath.Abs(c.Dir); err != nil {
		return setup, "", err
	}
	setup.Config = fmt.Appendf(nil, configTemplate, c.Registry, setup.Broker, setup.Enrol)
	return setup, dir, nil
}

// setup checks hosts and ports: they go into certificate and tokens, where a mistake shows only
// when a gateway can't find the registry.
func (c initCmd) setup() (authority.Setup, error) {
	setup := authority.Setup{Registry: c.Registry, Enrol: 8443, Broker: c.Broker, Now: time.Now()}
	if !wire.ValidName(c.Registry, false) {
		return setup, socket.Hinted("a-z, 0-9 and hyphens, at most 32, as city-1", "%q is no id of a registry", c.Registry)
	}
	if len(c.Host) == 0 {
		return setup, socket.Hinted("a name or address under which gateways reach the front", "no host is named")
	}
	for n, h := range c.Host {
		host, port, err := net.SplitHostPort(h)
		if err != nil {
			host, port = strings.TrimSuffix(strings.TrimPrefix(h, "["), "]"), ""
		}
		if !isHost(host) {
			return setup, socket.Hinted("a name or address, maybe with a port, as registry.example.org:8443", "no host: %q", h)
		}
		setup.Hosts = append(setup.Hosts, host)
		if err != nil {
			continue // it has no port
		}
		number, err := strconv.Atoi(port)
		if err != nil || number < 1 || number > 65535 {
			return setup, socket.Hinted("write it as registry.example.org:8443", "no port: %q", h)
		}
		if n == 0 {
			setup.Enrol = number
		}
	}
	if c.Broker < 1 || c.Broker > 65535 || c.Broker == setup.Enrol {
		return setup, socket.Hinted("another one than that of enrolment, from 1 to 65535", "%d can't be the broker's port", c.Broker)
	}
	return setup, nil
}

// hostName is a name of the DNS.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

func isHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" || len(host) <= 253 && hostName.MatchString(host)
}

type renewServerCmd struct {
	Dir   string   `help:"The issuer's directory, with the CA's key." default:"/var/lib/gatehouse-registry/issuer" placeholder:"DIRECTORY"`
	Front string   `name:"front-dir" help:"The front's directory." default:"/var/lib/gatehouse-registry/front" placeholder:"DIRECTORY"`
	Host  []string `help:"Name or address of the front; without it those of the certificate before." placeholder:"HOST"`
}

func (c renewServerCmd) Run(s *session) error {
	until, err := authority.RenewServer(c.Dir, c.Front, c.Host, time.Now())
	return s.Print(map[string]time.Time{"until": until}, err, func(w io.Writer) {
		fmt.Fprintf(w, "the front's certificate is good until %s; a front that runs takes it by itself\n", clock(&until))
	})
}

type trustCmd struct {
	Show trustShowCmd `cmd:"" help:"Show whose signatures count, by the newest trust document."`
	New  trustNewCmd  `cmd:"" help:"Sign the next trust document with the root's key: after a key was lost or stolen, or when the registry moves."`
}

type trustShowCmd struct {
	Dir   string `help:"The issuer's directory." default:"/var/lib/gatehouse-registry/issuer" placeholder:"DIRECTORY"`
	Front string `name:"front-dir" help:"Also the front's directory." placeholder:"DIRECTORY"`
}

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

func (c trustNewCmd) Run(s *session) error {
	switch {
	case len(c.Replace)+len(c.Add)+len(c.Remove)+len(c.Drop) == 0:
		return socket.Hinted("--replace KEY, --address URL, --remove URL or --drop ID", "the next document would say the same")
	case c.AsFalse && len(c.Replace) == 0:
		return socket.Hinted("with --replace issuer or --replace witness", "--as-false is about keys that are replaced")
	}
	done, err := authority.NextTrust{Dir: c.Dir, Front: c.Front, Root: c.Root, Replace: c.Replace, Drop: c.Drop, False: c.AsFalse, Add: c.Add, Remove: c.Remove, Now: time.Now()}.Sign()
	if err == nil {
		_, err = ceremony.Renew(filepath.Dir(c.Root), c.Dir, c.Front)
	}
	return s.Print(done, err, func(w io.Writer) {
		writeTrust(w, done.Trust)
		for _, k := range done.Replaced {
			fmt.Fprintf(w, "new      %s in %s%s\n", k.Role, k.File, command.Choose(k.Old == "", "", "; the one before is "+k.Old+": destroy it when all works"))
		}
		for n, step := range c.steps(done) {
			fmt.Fprintf(w, "then %d   %s\n", n+1, step)
		}
	})
}

// steps returns the remaining steps.
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
