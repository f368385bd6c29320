package testbed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// frontLink is the front's connection to the broker, which is in its own
// process.
type frontLink struct {
	*faultnet.Link
	receive    func(string, []byte)
	disconnect func(gateway string)
}

func (f *frontLink) Run(ctx context.Context) error {
	defer f.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-f.Messages():
			f.receive(m.Topic, m.Payload)
		}
	}
}

func (f *frontLink) Publish(topic string, payload []byte) error {
	return f.Link.Publish(context.Background(), topic, payload)
}

func (f *frontLink) Connected() bool { up, _ := f.State(); return up }

func (f *frontLink) Disconnect(p wire.Place) { f.disconnect(p.Gateway) }

// server is what gateways find where the broker should be.
type server interface {
	// reach says whether anybody answers there.
	reach(ctx context.Context, gateway string, timeout time.Duration) error
	// admit judges a gateway's connection up to and with the TLS handshake.
	admit(ctx context.Context, config *tls.Config) error
}

// gatewayLink is a gateway's connection to the broker: TLS by the certificates
// of both, and the waits and the keep-alive of package mqtt, at their longest.
type gatewayLink struct {
	*faultnet.Link
	name   string
	config mqtt.Config
	server server
	chance func(time.Duration) time.Duration
	again  chan struct{}
	deaf   chan struct{} // the connection has become half-open
	silent atomic.Bool   // the machine is without power: it says nothing more

	mu       sync.Mutex
	last     error
	failures int
}

// Publish says nothing where the power is gone.
func (g *gatewayLink) Publish(ctx context.Context, topic string, payload []byte) error {
	if g.silent.Load() {
		return mqtt.ErrDown
	}
	return g.Link.Publish(ctx, topic, payload)
}

// Run connects and connects again until ctx ends.
func (g *gatewayLink) Run(ctx context.Context) error {
	defer g.Stop()
	jitter := g.config.WithDefaults().Jitter
	wait := g.chance(jitter.First)
	for g.rest(ctx, wait) {
		began := time.Now()
		err := g.connection(ctx)
		if ctx.Err() != nil {
			break
		}
		g.because(err)
		if time.Since(began) >= jitter.Max {
			g.failures = 0
		}
		longest := min(jitter.Loss<<min(g.failures, 8), jitter.Max)
		wait = longest/5 + g.chance(longest*4/5)
		g.failures++
	}
	return nil
}

// shake reaches the broker and shakes hands with it.
func (g *gatewayLink) shake(ctx context.Context) error {
	if err := g.server.reach(ctx, g.name, g.config.WithDefaults().ConnectTimeout); err != nil { // as TCP does, before anything is signed or checked
		return err
	}
	config, err := g.config.TLS(Host)
	if err == nil {
		err = g.server.admit(ctx, config)
	}
	return err
}

// Look is one more handshake beside the connection.
func (g *gatewayLink) Look(ctx context.Context) error {
	if up, _ := g.State(); !up || g.silent.Load() {
		return mqtt.ErrDown
	}
	return g.shake(ctx)
}

func (g *gatewayLink) connection(ctx context.Context) error {
	if err := g.shake(ctx); err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" && g.config.Refused != nil {
			g.config.Refused()
		}
		return err
	}
	if g.silent.Load() {
		return syscall.ENETUNREACH
	}
	g.Restore()
	return g.hold(ctx)
}

var errSilence = errors.New("the broker fell silent")

// Blind makes the connection half-open: only its own pings tell the gateway.
func (g *gatewayLink) Blind() {
	g.Link.Blind()
	select {
	case g.deaf <- struct{}{}:
	default:
	}
}

// hold stays with a connection, and ends it when pings would not be answered any
// more, as late as that can be: it becomes half-open just when something has come.
func (g *gatewayLink) hold(ctx context.Context) error {
	unanswered := time.NewTimer(0)
	unanswered.Stop()
	defer unanswered.Stop()
	for {
		up, changed := g.State()
		if !up {
			return syscall.ECONNRESET
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-g.deaf:
			unanswered.Reset(g.config.Silence())
		case <-unanswered.C:
			if g.Blinded() {
				g.Cut()
				return errSilence
			}
		}
	}
}

// Again ends a wait: the certificate is a new one.
func (g *gatewayLink) Again() {
	select {
	case g.again <- struct{}{}:
	default:
	}
}

// Spread does nothing: the waits of a simulation are chosen by its own rules.
func (g *gatewayLink) Spread(time.Duration) {}

// rest waits between two attempts.
func (g *gatewayLink) rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.again:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

func (g *gatewayLink) because(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = err
}

// Status is that of a real link, with its words.
func (g *gatewayLink) Status() mqtt.Status {
	s := g.Link.Status()
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.Err = g.last; s.Err != nil {
		s.Advice = fmt.Sprint(s.Err)
	}
	return s
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// handshake lets both ends judge each other's certificates.
func handshake(ctx context.Context, client, server *tls.Config) error {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	answer := make(chan error, 1)
	go func() {
		s := tls.Server(theirs, server)
		err := s.HandshakeContext(ctx)
		if err == nil {
			_, err = s.Write([]byte{0}) // the client hears of a refusal only when it reads
		}
		theirs.Close()
		answer <- err
	}()
	c := tls.Client(ours, client)
	err := c.HandshakeContext(ctx)
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	ours.Close()
	<-answer
	return err
}
