package enrol

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/network"
	"gatehouse/sync/wire"
)

// Renewer keeps the client certificate of an enrolled gateway fresh: it requests the next one when
// two thirds of its life are over, and still when it has expired, since the request is signed by
// the gateway's own key.
type Renewer struct {
	o     RenewerOptions
	share float64 // of the jitter, so that the gateways of a city do not come at once
	soon  chan struct{}
	renew func(context.Context) error
	due   func() (time.Time, error)

	mu   sync.Mutex
	last error // of the last try
}

// Waits of a Renewer. The first failure may be a restart at the other end; a registry that is away
// for days is not asked more often.
const (
	lookEvery   = time.Hour // the clock may have been set meanwhile
	firstRetry  = time.Minute
	longestWait = 40 * time.Minute // and up to half of it more at random: not above lookEvery
	soonEvery   = time.Minute      // between two tries that refusals of the broker cause
	soonMost    = time.Hour        // where another certificate does not help any more
)

// RenewerOptions of a Renewer.
type RenewerOptions struct {
	Dir     string           // directory of keys
	Now     func() time.Time // the best time that the gateway knows
	Trusted func() bool      // whether a server's certificate may be judged by Now
	Network network.Network  // where the registry's HTTPS is
	Renewed func()           // called after each success; it returns at once. May be nil
	Log     zerolog.Logger
	// Chance returns a random time below limit (above 0); nil: uniform.
	Chance func(limit time.Duration) time.Duration
}

// NewRenewer returns one for a directory of keys, whose options but Network, Renewed
// and Log are needed. It starts nothing.
func NewRenewer(o RenewerOptions) *Renewer {
	if o.Chance == nil {
		o.Chance = rand.N[time.Duration]
	}
	r := &Renewer{o: o, share: o.Chance(time.Hour).Hours(), soon: make(chan struct{}, 1)}
	r.renew, r.due = r.Renew, r.readDue
	return r
}

// Soon makes Run renew whatever the clock says, because the broker refused the certificate. It does
// not wait, and may be called as often as that happens.
func (r *Renewer) Soon() {
	select {
	case r.soon <- struct{}{}:
	default:
	}
}

// Run renews when it is time, until ctx ends. It never fails: a gateway whose
// certificate can't be renewed works on without the registry, and says so in
// its log and by Err.
func (r *Renewer) Run(ctx context.Context) error {
	next, retry := time.Now().Add(r.untilDue()), backoff.New(firstRetry, longestWait)
	var deaf time.Time // to refusals until then; they come again
	deafness, refused := backoff.New(soonEvery, soonMost), false
	for {
		timer := time.NewTimer(min(max(time.Until(next), 0), lookEvery))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.soon:
			timer.Stop()
			if refused = !time.Now().Before(deaf); !refused {
				continue
			}
		case <-timer.C:
			if time.Now().Before(next) { // by the clock as it was
				next = time.Now().Add(r.untilDue())
				continue
			}
		}
		err := r.renew(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.told(err)
		if err == nil {
			// A clock that is far ahead must not cause endless requests.
			next = time.Now().Add(max(r.untilDue(), lookEvery))
			retry.Reset()
			if !refused || time.Since(deaf) > soonMost {
				deafness.Reset()
			}
			deaf, refused = time.Now().Add(deafness.Next()), false
			continue
		}
		pause := retry.Next()
		wait := pause/2 + r.o.Chance(pause)
		next, deaf = time.Now().Add(wait), time.Now().Add(soonEvery)
		r.o.Log.Warn().Err(err).Dur("again_in", wait).Msg("client certificate could not be renewed")
	}
}

// told stores the outcome of a try, and wakes the link after a success.
func (r *Renewer) told(err error) {
	r.mu.Lock()
	r.last = err
	r.mu.Unlock()
	if err != nil {
		return
	}
	r.o.Log.Info().Msg("client certificate renewed")
	if r.o.Renewed != nil {
		r.o.Renewed()
	}
}

// Expires returns when the certificate ends. Safe for concurrent use.
func (r *Renewer) Expires() (time.Time, error) {
	_, until, err := r.life()
	return until, err
}

// Err returns why the last try failed; nil: it succeeded, or there was none. Safe for concurrent
// use.
func (r *Renewer) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// untilDue returns at least a pause: the first moments after a start belong to the doors. A
// certificate that can't be read is replaced.
func (r *Renewer) untilDue() time.Duration {
	due, err := r.due()
	if err != nil {
		r.o.Log.Error().Err(err).Msg("client certificate can't be read")
		return firstRetry
	}
	return max(due.Sub(r.o.Now()), firstRetry)
}

// readDue returns a time at two thirds of the certificate's life and up to a thirtieth more.
func (r *Renewer) readDue() (time.Time, error) {
	from, until, err := r.life()
	life := until.Sub(from)
	return from.Add(life/3*2 + time.Duration(r.share*float64(life/30))), err
}

// life returns when the certificate begins and ends.
func (r *Renewer) life() (from, until time.Time, err error) {
	chain, err := loadCertificates(filepath.Join(r.o.Dir, keys.ClientCertFile))
	if err != nil {
		return from, until, err
	}
	return chain[0].NotBefore, chain[0].NotAfter, nil
}

// Renew requests the new certificate once and writes it, for the existing key.
func (r *Renewer) Renew(ctx context.Context) error {
	reg, roots, err := servers(r.o.Dir)
	if err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	signing, errSigning := keys.LoadPrivateKey(filepath.Join(r.o.Dir, keys.GatewayKeyFile))
	client, errClient := loadClientKey(filepath.Join(r.o.Dir, keys.ClientKeyFile))
	if err := errors.Join(errSigning, errClient); err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	csr, err := certificateRequest(reg.Place, client)
	if err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	envelope, err := wire.SignBody(wire.Protected{Type: wire.TypeRenew, Role: wire.RoleGateway, Address: reg.Place.Address()}, wire.RenewRequest{CSR: csr}, signing)
	if err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	answer, err := r.ask(ctx, byRoots(roots, r.o.Now, r.o.Trusted), envelope)
	if err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	want := identity{place: reg.Place, root: reg.Root, registry: reg.Name, trust: reg.Trust.Version,
		signing: signing.Public().(ed25519.PublicKey), client: &client.PublicKey}
	if _, err := want.check(answer); err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	return durable.WriteFile(filepath.Join(r.o.Dir, keys.ClientCertFile), certificatesPEM(answer.Certificates), 0o600)
}

// ask sends the request to the registry's addresses in order, until one has judged it.
func (r *Renewer) ask(ctx context.Context, good verify, envelope []byte) (answer wire.Enrolled, err error) {
	at, err := LoadAddresses(r.o.Dir)
	if err != nil {
		return answer, err
	}
	var errs []error
	for _, host := range at.Enrol {
		err := post(ctx, newClient(r.o.Network, host, good), pathRenew, typeCOSE, envelope, &answer)
		if err == nil || errors.Is(err, errRefused) || ctx.Err() != nil {
			return answer, err
		}
		errs = append(errs, err)
	}
	return answer, errors.Join(errs...)
}
