package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

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
