package enrolled

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/freeport"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
)

// Centre is the registry: broker, front and issuer, each a process.
type Centre struct {
	dir       string
	ports     [2]int // of the broker and of enrolment
	front     *api.Client
	operator  *operator.Client
	processes map[string]*process.Process
}

// The processes of a registry, in the order in which they start.
const (
	theBroker = "the broker"
	theFront  = "the registry's front"
	theIssuer = "the registry's issuer"
)

// frontConf is the front's configuration file: its broker runs elsewhere.
const frontConf = `broker = "mqtts://127.0.0.1:%d"
enrol_listen = "127.0.0.1:%d"
`

// newCentre makes the keys of a registry, as `registryd init` does.
func newCentre(dir string) (*Centre, error) {
	c := &Centre{dir: filepath.Join(dir, "registry"), processes: map[string]*process.Process{}}
	if _, err := freeport.Hold(c.ports[:]); err != nil { // until this program ends
		return nil, err
	}
	err := authority.Init(c.dir, authority.Setup{Registry: "demo", Hosts: []string{"127.0.0.1"}, Broker: c.ports[0], Enrol: c.ports[1],
		Config: fmt.Appendf(nil, frontConf, c.ports[0], c.ports[1]), Now: time.Now()})
	if err != nil {
		return nil, err
	}
	c.front, c.operator = api.NewClient(c.FrontSocket()), operator.NewClient(c.IssuerSocket())
	return c, nil
}

func (c *Centre) file(parts ...string) string {
	return filepath.Join(append([]string{c.dir}, parts...)...)
}

// FrontSocket is where the front answers.
func (c *Centre) FrontSocket() string { return c.file(authority.DirFront, api.FileSocket) }

// IssuerSocket is where the issuer answers.
func (c *Centre) IssuerSocket() string { return c.file(authority.DirIssuer, issuer.FileSocket) }

// Log is the file in which all three log.
func (c *Centre) Log() string { return c.file("registry.log") }

// args is how this program is started as one of the processes.
func (c *Centre) args(what string) []string {
	switch what {
	case theBroker:
		return []string{"broker", "--front", c.file(authority.DirFront), "--listen", fmt.Sprintf("127.0.0.1:%d", c.ports[0])}
	case theFront:
		// A busy epoch is cosigned once in some seconds. This day is too short for that.
		return []string{"front", "--cosign", "1ns", "--config", c.file(authority.DirFront, api.FileConfig)}
	}
	return []string{"issuer", "--dir", c.file(authority.DirIssuer), "--front", c.FrontSocket()}
}

// start starts one of the processes.
func (c *Centre) start(what string) (err error) {
	c.processes[what], err = process.Start(what, c.Log(), nil, c.args(what)...)
	return err
}

// kill is kill -9 and waits for the end.
func (c *Centre) kill(what string) error {
	p := c.processes[what]
	delete(c.processes, what)
	p.Kill()
	return p.Gone()
}

// linked says whether the three know each other.
func (c *Centre) linked(ctx context.Context) bool {
	f, err := c.front.Status(ctx)
	if err != nil || !f.Linked || !f.Issuer {
		return false
	}
	_, err = c.operator.Status(ctx)
	return err == nil
}

// Stop stops them in order, the broker last.
func (c *Centre) Stop() error {
	var errs []error
	for _, what := range []string{theIssuer, theFront, theBroker} {
		if p := c.processes[what]; p != nil {
			errs = append(errs, p.Stop())
			delete(c.processes, what)
		}
	}
	return errors.Join(errs...)
}
