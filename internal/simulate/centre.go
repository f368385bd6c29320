package simulate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/simulate/virtual"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// Addresses of the registry. Nothing listens there but in memory.
const (
	host       = "registry.test"
	enrolPort  = 8443
	brokerPort = 8883
)

// centre is the registry: two machines, each with a clock and a disk, and the
// operator's commands.
type centre struct {
	w      *world
	front  part
	issuer part
	api    *api.Client
	op     *operator.Client
	link   *frontLink
	cut    map[string]bool // gateways without a way to the registry
	dead   map[string]bool // of those: nobody is told that there is none
}

// part is one process of the registry.
type part struct {
	clock *virtual.Clock
	disk  *virtual.Disk
	stop  context.CancelFunc
	ended *sync.WaitGroup
}

func (p *part) running() bool { return p.stop != nil }

func (p *part) end() {
	if p.stop == nil {
		return
	}
	p.stop()
	p.ended.Wait()
	p.stop, p.ended = nil, nil
	align()
}

// align waits for the next tenth of a second: an HTTP server that ends looks by
// chance at when its connections are gone, and nothing after it may depend on
// that.
func align() {
	const step = 100 * time.Millisecond
	now := time.Now()
	time.Sleep(now.Truncate(step).Add(2*step + 137).Sub(now))
}

// newCentre makes a registry with new keys, at the true time.
func newCentre(w *world) (*centre, error) {
	c := &centre{w: w, cut: map[string]bool{}, dead: map[string]bool{}}
	made, now := w.path("init"), time.Now()
	after, old := w.plan.CAEnds()
	if old {
		now = now.AddDate(-20, 0, 0).Add(after)
	}
	err := authority.Init(made, authority.Setup{Registry: "town", Hosts: []string{host}, Enrol: enrolPort, Broker: brokerPort,
		Config: fmt.Appendf(nil, "mqtt_listen = \"%[1]s:%[2]d\"\nenrol_listen = \"%[1]s:%[3]d\"\nenrol_per_minute = 1000\n", host, brokerPort, enrolPort), Now: now})
	if err == nil && old {
		_, err = authority.RenewServer(filepath.Join(made, authority.FolderIssuer), filepath.Join(made, authority.FolderFront), nil, time.Now())
	}
	if err != nil {
		return nil, err
	}
	c.front = part{clock: virtual.NewClock(true), disk: &virtual.Disk{Root: w.path("front")}}
	c.issuer = part{clock: virtual.NewClock(true), disk: &virtual.Disk{Root: w.path("issuer")}}
	if strings.Contains(w.plan.Climate, "disks") {
		c.front.disk.Separate()
		c.issuer.disk.Separate()
	}
	for folder, d := range map[string]*virtual.Disk{authority.FolderFront: c.front.disk, authority.FolderIssuer: c.issuer.disk} {
		if err := virtual.CopyTree(made+"/"+folder, d.Dir()); err != nil {
			return nil, err
		}
	}
	return c, virtual.CopyTree(made+"/"+authority.FolderOffline, w.path("offline"))
}

func (c *centre) frontSocket() string { return c.w.path("front.sock") }

// startFront starts the front; it is ready when startFront returns. It starts at no
// instant at which the issuer, which lost it a few tenths of a second before, tries
// again.
func (c *centre) startFront() error {
	time.Sleep(53 * time.Millisecond)
	config, err := front.LoadConfig(c.front.disk.Path(api.FileConfig))
	if err != nil {
		return err
	}
	config.Socket = c.frontSocket()
	ready := make(chan struct{})
	f, err := front.New(front.Options{Config: config, Version: "simulated", Log: c.w.log("front"), Now: c.front.clock.Wall, Clock: c.front.clock.Source(),
		Network: c.w.lan.Sockets(), Chance: c.w.chances("front").UpTo, WorkWait: 20 * time.Minute, WorkGather: time.Millisecond, Ready: func(string, string) { close(ready) },
		Link: func(receive func(string, []byte)) (front.Link, error) {
			c.link = &frontLink{Link: c.w.broker.Connect(faultnet.Client{Name: "front", Subscribe: []string{wire.UpFilter, wire.StatusFilter}}),
				receive: receive, disconnect: c.w.dropLink}
			return c.link, nil
		}})
	if err != nil {
		return fmt.Errorf("front: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	failed := make(chan error, 1)
	ended.Go(func() {
		failed <- f.Run(ctx)
	})
	select {
	case <-ready:
	case err := <-failed:
		cancel()
		return fmt.Errorf("front: %w", err)
	}
	c.front.stop, c.front.ended = cancel, &ended
	c.api = api.NewClientOver(c.w.lan.Sockets(), c.frontSocket())
	return nil
}

// stopFront ends the front, and with it all connections to its broker.
func (c *centre) stopFront() {
	c.front.end()
	for _, g := range c.w.gateways {
		g.dropLink()
	}
}

// startIssuer starts the issuer with its two loops.
func (c *centre) startIssuer() error {
	i, err := issuer.Open(issuer.Options{Dir: c.issuer.disk.Dir(), Front: api.NewClientOver(c.w.lan.Sockets(), c.frontSocket()), Log: c.w.log("issuer"),
		Now: c.issuer.clock.Wall, Clock: c.issuer.clock.Source(), Tend: time.Hour, Ask: 20 * time.Minute, Network: c.w.lan.Sockets()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended, loops sync.WaitGroup
	loops.Go(func() { _ = i.Run(ctx) })
	loops.Go(func() { _ = i.Serve(ctx, c.issuerSocket()) })
	ended.Go(func() { loops.Wait(); _ = i.Close() })
	c.issuer.stop, c.issuer.ended = cancel, &ended
	c.op = operator.NewClientOver(c.w.lan.Sockets(), c.issuerSocket())
	return nil
}

func (c *centre) issuerSocket() string { return c.w.path("issuer.sock") }

// reach is whether a gateway's line leads to a broker. On a dead line nobody says
// that it does not.
func (c *centre) reach(ctx context.Context, gateway string, patience time.Duration) error {
	if c.dead[gateway] {
		pause(ctx, patience)
		return syscall.ETIMEDOUT
	}
	if !c.front.running() || c.cut[gateway] {
		return syscall.ECONNREFUSED
	}
	return nil
}

// admit is the broker's side of a gateway's connection.
func (c *centre) admit(ctx context.Context, client *tls.Config) error {
	dir := c.front.disk.Dir()
	pair, err := tls.LoadX509KeyPair(dir+"/"+api.FileServerCert, dir+"/"+api.FileServerKey)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(dir + "/" + api.FileCA) // all that the trust document names
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return errors.New("no CA")
	}
	client = client.Clone()
	client.ServerName = host
	return handshake(ctx, client, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, Time: c.front.clock.Wall})
}

// log is where a part says what it does; nothing of it is a result.
func (w *world) log(string) zerolog.Logger { return zerolog.Nop() }
