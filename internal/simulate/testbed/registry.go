package testbed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/sync/wire"
)

// Addresses of the registry. Nothing listens there but in memory.
const (
	Host       = "registry.test"
	EnrolPort  = 8443
	brokerPort = 8883
)

// Registry is the registry: two machines, each with a clock and a disk, and the
// operator's commands.
type Registry struct {
	bed    *Bed
	Front  Part
	Issuer Part
	API    *api.Client
	Op     *operator.Client
	link   *frontLink
	Cut    map[string]bool // gateways without a way to the registry
	Dead   map[string]bool // of those: nobody is told that there is none
}

// Part is one process of the registry.
type Part struct {
	Clock *virtual.Clock
	Disk  *virtual.Disk
	stop  context.CancelFunc
	ended *sync.WaitGroup
}

// Running reports whether the process runs.
func (p *Part) Running() bool { return p.stop != nil }

// End ends the process, if it runs, and waits for that.
func (p *Part) End() {
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

// newRegistry makes a registry with new keys, at the true time.
func newRegistry(w *Bed) (*Registry, error) {
	c := &Registry{bed: w, Cut: map[string]bool{}, Dead: map[string]bool{}}
	made, now := w.Path("init"), time.Now()
	old := w.setup.CALeft != nil
	if old {
		now = now.AddDate(-20, 0, 0).Add(*w.setup.CALeft)
	}
	config := fmt.Appendf(nil, "mqtt_listen = \"%[1]s:%[2]d\"\nenrol_listen = \"%[1]s:%[3]d\"\nenrol_per_minute = 1000\n", Host, brokerPort, EnrolPort)
	if days := w.setup.WhoDays; days > 0 {
		config = fmt.Appendf(config, "who_days = %[1]d\nadmin_days = %[1]d\n", days)
	}
	err := authority.Init(made, authority.Setup{Registry: "town", Hosts: []string{Host}, Enrol: EnrolPort, Broker: brokerPort, Config: config, Now: now})
	if err == nil && old {
		_, err = authority.RenewServer(filepath.Join(made, authority.DirIssuer), filepath.Join(made, authority.DirFront), nil, time.Now())
	}
	if err != nil {
		return nil, err
	}
	c.Front = Part{Clock: virtual.NewClock(true), Disk: &virtual.Disk{Root: w.Path("front")}}
	c.Issuer = Part{Clock: virtual.NewClock(true), Disk: &virtual.Disk{Root: w.Path("issuer")}}
	if w.setup.OwnDisks {
		c.Front.Disk.Separate()
		c.Issuer.Disk.Separate()
	}
	for part, d := range map[string]*virtual.Disk{authority.DirFront: c.Front.Disk, authority.DirIssuer: c.Issuer.Disk} {
		if err := virtual.CopyTree(made+"/"+part, d.Dir()); err != nil {
			return nil, err
		}
	}
	return c, virtual.CopyTree(made+"/"+authority.DirOffline, w.Path("offline"))
}

func (c *Registry) frontSocket() string { return c.bed.Path("front.sock") }

// StartFront starts the front; it is ready when startFront returns. It starts at no
// instant at which the issuer, which lost it a few tenths of a second before, tries
// again.
func (c *Registry) StartFront() error {
	time.Sleep(53 * time.Millisecond)
	config, err := front.LoadConfig(c.Front.Disk.Path(api.FileConfig))
	if err != nil {
		return err
	}
	config.Socket = c.frontSocket()
	ready := make(chan struct{})
	f, err := front.New(front.Options{Config: config, Version: "simulated", Log: c.bed.log("front"), Now: c.Front.Clock.Wall, Clock: c.Front.Clock.Source(),
		Network: c.bed.LAN.Sockets(), Chance: c.bed.chances("front").UpTo, WorkWait: 20 * time.Minute, WorkGather: time.Millisecond, Ready: func(string, string) { close(ready) },
		Link: func(receive func(string, []byte)) (front.Link, error) {
			c.link = &frontLink{Link: c.bed.Broker.Connect(faultnet.Client{Name: "front", Subscribe: []string{wire.UpFilter, wire.StatusFilter}}),
				receive: receive, disconnect: c.bed.dropLink}
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
	c.Front.stop, c.Front.ended = cancel, &ended
	c.API = api.NewClientOver(c.bed.LAN.Sockets(), c.frontSocket())
	return nil
}

// StopFront ends the front, and with it all connections to its broker.
func (c *Registry) StopFront() {
	c.Front.End()
	for _, g := range c.bed.Gateways {
		g.dropLink()
	}
}

// StartIssuer starts the issuer with its two loops.
func (c *Registry) StartIssuer() error {
	i, err := issuer.Open(issuer.Options{Dir: c.Issuer.Disk.Dir(), Front: api.NewClientOver(c.bed.LAN.Sockets(), c.frontSocket()), Log: c.bed.log("issuer"),
		Now: c.Issuer.Clock.Wall, Clock: c.Issuer.Clock.Source(), Tend: time.Hour, Ask: 20 * time.Minute, Network: c.bed.LAN.Sockets()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended, loops sync.WaitGroup
	loops.Go(func() { _ = i.Run(ctx) })
	loops.Go(func() { _ = i.Serve(ctx, c.issuerSocket()) })
	ended.Go(func() { loops.Wait(); _ = i.Close() })
	c.Issuer.stop, c.Issuer.ended = cancel, &ended
	c.Op = operator.NewClientOver(c.bed.LAN.Sockets(), c.issuerSocket())
	return nil
}

func (c *Registry) issuerSocket() string { return c.bed.Path("issuer.sock") }

// reach is whether a gateway's line leads to a broker. On a dead line nobody says
// that it does not.
func (c *Registry) reach(ctx context.Context, gateway string, timeout time.Duration) error {
	if c.Dead[gateway] {
		pause(ctx, timeout)
		return syscall.ETIMEDOUT
	}
	if !c.Front.Running() || c.Cut[gateway] {
		return syscall.ECONNREFUSED
	}
	return nil
}

// admit is the broker's side of a gateway's connection.
func (c *Registry) admit(ctx context.Context, client *tls.Config) error {
	dir := c.Front.Disk.Dir()
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
	client.ServerName = Host
	return handshake(ctx, client, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, Time: c.Front.Clock.Wall})
}
