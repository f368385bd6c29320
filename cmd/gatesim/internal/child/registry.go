package child

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/broker"
	"gatehouse/internal/registry/front"
	"gatehouse/internal/registry/issuer"
	"gatehouse/sync/wire"
)

// The registry's processes, each as `registryd` runs it, and the broker as a
// process of its own, so that it can be killed alone.

func daemonLog(what string) zerolog.Logger {
	return zerolog.New(os.Stderr).With().Timestamp().Str("process", what).Logger()
}

// Front is `registryd serve`.
type Front struct {
	Config string        `required:"" help:"The front's configuration." placeholder:"FILE"`
	Cosign time.Duration `help:"The least time between cosignatures of an epoch; 0 is the front's own." placeholder:"TIME"`
}

// Run serves until it is told to stop, or the parent is gone.
func (c Front) Run(ctx context.Context, _ process.Streams) error {
	ctx, cancel := process.Leashed(ctx)
	defer cancel()
	config, err := front.LoadConfig(c.Config)
	if err != nil {
		return err
	}
	f, err := front.New(front.Options{Config: config, Version: "gatesim", CosignEvery: c.Cosign, Log: daemonLog("front")})
	if err != nil {
		return err
	}
	return f.Run(ctx)
}

// Issuer is `registryd issue`.
type Issuer struct {
	Dir   string `required:"" help:"The issuer's directory." placeholder:"DIR"`
	Front string `required:"" help:"The front's socket." placeholder:"PATH"`
}

// Run signs until it is told to stop, or the parent is gone.
func (c Issuer) Run(ctx context.Context, _ process.Streams) error {
	ctx, cancel := process.Leashed(ctx)
	defer cancel()
	i, err := issuer.Open(issuer.Options{Dir: c.Dir, Front: api.NewClient(c.Front), Log: daemonLog("issuer")})
	if err != nil {
		return err
	}
	worked := make(chan error, 1)
	go func() {
		defer cancel()
		worked <- i.Run(ctx)
	}()
	err = i.Serve(ctx, filepath.Join(c.Dir, issuer.FileSocket))
	cancel()
	return errors.Join(err, <-worked, i.Close())
}

// Broker is a broker between the gateways and the registry. It knows nobody
// but the registry's CA, and needs no more: what it carries is signed.
type Broker struct {
	Front  string `required:"" help:"The front's directory, for certificates." placeholder:"DIR"`
	Listen string `required:"" help:"Address to listen on." placeholder:"HOST:PORT"`
}

// Run carries messages until it is told to stop, or the parent is gone.
func (c Broker) Run(ctx context.Context, _ process.Streams) error {
	ctx, cancel := process.Leashed(ctx)
	defer cancel()
	own, err := tls.LoadX509KeyPair(filepath.Join(c.Front, api.FileServerCert), filepath.Join(c.Front, api.FileServerKey))
	if err != nil {
		return fmt.Errorf("the broker's certificate: %w", err)
	}
	pem, err := os.ReadFile(filepath.Join(c.Front, api.FileCA))
	if err != nil {
		return fmt.Errorf("the gateways' CA: %w", err)
	}
	cas := x509.NewCertPool()
	if !cas.AppendCertsFromPEM(pem) {
		return errors.New("the gateways' CA: no certificate")
	}
	b, err := broker.New(broker.Options{Listen: c.Listen, Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }, CAs: func() *x509.CertPool { return cas },
		Member: func(wire.Place, *x509.Certificate) bool { return true },
		Front:  func(cert *x509.Certificate) bool { return cert.Equal(own.Leaf) },
		Dir:    filepath.Join(c.Front, "broker"), Log: daemonLog("broker")})
	if err != nil {
		return err
	}
	return b.Run(ctx)
}
