// Package enrol enrols a gateway with a central registry, and keeps its certificate fresh: the
// gateway's half of the HTTPS part of the protocol.
//
// All private keys are made here and never leave the gateway. The registry's answers are trusted
// only as far as the token's root reaches: the server by the CA whose hash the token has, the trust
// document by the root, the house by an issuer of that trust. The package refuses to make a gateway
// of another building or registry out of one that has its keys, and to overwrite any key. An
// enrolment that was interrupted anywhere continues when it is called again.
package enrol

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/network"
	"gatehouse/sync/wire"
)

// pendingFile keeps the request until its answer is written: a token that was used, and whose
// answer was lost, is answered again only to the same bytes.
const pendingFile = "enrol.cose"

// Options of an enrolment.
type Options struct {
	Token    wire.Token
	Dir      string   // the daemon's directory of keys; made if it is not there
	Building string   // as the site file has it; a token for another is refused,
	Gateway  string   // or for another gateway of it
	Doors    []string // ids of the gateway's doors, in any order
	Software string   // name and version; cut to 64 bytes
	// Now is the wall clock, time.Now if nil. It need not be right: before its first contact with a
	// registry a gateway may have no time at all.
	Now     func() time.Time
	Network network.Network // where the registry's HTTPS is
}

// Result of an enrolment.
type Result struct {
	Registry *keys.Registry
	// BuildingKey reports whether the gateway has the building's key. If not, a sibling sends it
	// when both are connected; until then no card opens.
	BuildingKey bool
	Expires     time.Time     // of the certificate; a daemon renews it long before
	Skew        time.Duration // the registry's time less this machine's
}

// Enrol asks the registry to enrol the gateway, and writes what the daemon needs into the directory
// of keys, registry.json last. Errors say what to do as *control.Error. One call at a time for a
// directory.
func Enrol(ctx context.Context, o Options) (Result, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	e, err := prepare(o)
	if err != nil {
		return Result{}, err
	}
	answer, err := e.ask(ctx)
	if err != nil {
		return Result{}, err
	}
	have := identity{place: o.Token.At(), root: o.Token.Root[:], registry: o.Token.Registry, trust: e.trust, house: e.house,
		signing: e.signing.Public().(ed25519.PublicKey), client: &e.client.PublicKey}
	got, err := have.check(answer)
	if err != nil {
		return Result{}, fmt.Errorf("enrol at %s: %w", o.Token.Registry, err)
	}
	r := &keys.Registry{Place: have.place, Name: o.Token.Registry, Enrol: o.Token.Enrol, Broker: o.Token.Broker,
		Root: have.root, Trust: got.trust, House: got.house, TrustEnvelope: answer.Trust, HouseEnvelope: answer.House, KEM: e.kem}
	if err := e.keep(r, answer); err != nil {
		return Result{}, fmt.Errorf("enrol at %s: %w", o.Token.Registry, err)
	}
	_, err = os.Stat(e.file(keys.BuildingKeyFile))
	return Result{Registry: r, BuildingKey: err == nil, Expires: got.certificate.NotAfter,
		Skew: time.Unix(int64(answer.Time), 0).Sub(o.Now())}, nil
}

// enrolment is an enrolment in progress.
type enrolment struct {
	Options
	https   *client
	signing ed25519.PrivateKey
	client  *ecdsa.PrivateKey
	kem     []byte // private
	trust   uint64 // version of the trust document that is there; 0: none
	house   uint64 // and of the house document
	offers  bool   // the request has the key of offeredFile
	behind  bool   // that key was refused: another gateway's may have come first
}

// prepare checks for obstacles before anything is sent, and makes the gateway's own keys.
func prepare(o Options) (*enrolment, error) {
	if err := CheckPlace(o.Token, o.Building, o.Gateway); err != nil {
		return nil, err
	}
	trust, house, err := sameRegistry(o)
	if err != nil {
		return nil, err
	}
	if err := durable.MakeDir(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	e := &enrolment{Options: o, trust: trust, house: house, https: newClient(o.Network, o.Token.Enrol, pinned(o.Token.CA))}
	var errs [3]error
	e.signing, errs[0] = signingKey(e.file(keys.GatewayKeyFile))
	e.kem, errs[1] = sealKey(e.file(keys.SealKeyFile))
	e.client, errs[2] = clientKey(e.file(keys.ClientKeyFile))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	return e, nil
}

// CheckPlace refuses a token that is for another gateway than the site file's.
func CheckPlace(token wire.Token, building, gateway string) error {
	if at := token.At(); at.Building != building || at.Gateway != gateway {
		return hinted("ask the registry for a token of this gateway, or correct building and gateway in the site file",
			"the token is for %s, the site file for %s/%s", at.Address(), building, gateway)
	}
	return nil
}

// sameRegistry allows a gateway to enrol again where it was, and nowhere else. It returns the
// versions of the stored trust and house documents.
func sameRegistry(o Options) (trust, house uint64, err error) {
	have, err := keys.LoadRegistry(o.Dir)
	away := "to leave it, stop the daemon and move " + o.Dir + " away; the cards then need its building.key again"
	switch {
	case have == nil && err != nil:
		return 0, 0, fmt.Errorf("enrol: %w", err)
	case have == nil:
	case have.Name != o.Token.Registry || have.Place != o.Token.At():
		return 0, 0, hinted(away, "this gateway is %s of registry %s already; the token is for %s of %s",
			have.Place.Address(), have.Name, o.Token.At().Address(), o.Token.Registry)
	default:
		trust, house = have.Trust.Version, have.House.Version // 0 where one can't be read: then the answer replaces it
	}
	root, err := keys.LoadRoot(filepath.Join(o.Dir, keys.RootFile))
	if errors.Is(err, fs.ErrNotExist) {
		return trust, house, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("enrol: %w", err)
	}
	if !slices.Equal(root, o.Token.Root[:]) {
		return 0, 0, hinted(away, "this gateway trusts another root than that of the token")
	}
	return trust, house, nil
}

func (e *enrolment) file(name string) string { return filepath.Join(e.Dir, name) }

// ask sends the request and returns the answer. A refused request is forgotten, since the next try may
// be with another token. If it offered a building's key, it is sent once more: another gateway of the
// house may have made that key first, and then this one enrols without.
func (e *enrolment) ask(ctx context.Context) (answer wire.Enrolled, err error) {
	for {
		envelope, err := e.request(ctx)
		if err != nil {
			return answer, err
		}
		if err = post(ctx, e.https, pathEnrol, typeCOSE, envelope, &answer); !errors.Is(err, errRefused) {
			return answer, err
		}
		os.Remove(e.file(pendingFile)) // if this fails, the refusal comes again
		if !e.offers || e.behind {
			return answer, err
		}
		e.behind = true
	}
}

// request returns the envelope to send: the one of an earlier try with the same
// token, or a new one, which is kept before anything of it is sent.
func (e *enrolment) request(ctx context.Context) ([]byte, error) {
	at := e.Token.At()
	kept, err := os.ReadFile(e.file(pendingFile))
	if err == nil {
		r, err := wire.OpenEnrol(kept, at.Address())
		if err == nil && r.Proved(e.Token.Secret) && e.fits(r) {
			return kept, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	r, err := e.compose(ctx)
	if err != nil {
		return nil, err
	}
	envelope, err := wire.SignBody(wire.Protected{Type: wire.TypeEnrol, Role: wire.RoleGateway, Address: at.Address()}, r, e.signing)
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	return envelope, durable.WriteFile(e.file(pendingFile), envelope, 0o600)
}

func (e *enrolment) compose(ctx context.Context) (r wire.EnrolRequest, err error) {
	trust, number, err := e.introduce(ctx)
	if err != nil {
		return r, err
	}
	building, err := e.buildingKey(number)
	if err != nil {
		return r, err
	}
	if r.KEM, err = sealPublic(e.kem); err != nil {
		return r, fmt.Errorf("enrol: %w", err)
	}
	if r.CSR, err = certificateRequest(e.Token.At(), e.client); err != nil {
		return r, fmt.Errorf("enrol: %w", err)
	}
	copy(r.Public[:], e.signing.Public().(ed25519.PublicKey))
	r.Doors = slices.Clone(e.Doors)
	slices.Sort(r.Doors)
	r.Doors = slices.Compact(r.Doors)
	r.Software = e.Software[:min(len(e.Software), 64)]
	if building != nil {
		r.Number = building.Number()
		if r.Escrow, err = building.Seal(trust.Escrow, e.Token.At().Address()); err != nil {
			return r, fmt.Errorf("enrol: %w", err)
		}
	}
	if err := r.Prove(e.Token.Secret); err != nil {
		return r, fmt.Errorf("enrol: %w", err)
	}
	return r, nil
}

// introduce asks whom to trust, and which building key the siblings have.
func (e *enrolment) introduce(ctx context.Context) (trust wire.Trust, number uint8, err error) {
	i, err := e.https.introduce(ctx, e.Token.At(), e.Token.Secret)
	if err != nil {
		return trust, 0, err
	}
	trust, err = openTrust(i.Trust, e.Token.Root[:], e.Token.Registry)
	if err != nil {
		return trust, 0, fmt.Errorf("enrol at %s: %w", e.Token.Registry, err)
	}
	return trust, i.KeyNumber, nil
}

// keep writes the answer. A crash between two files leaves an enrolment that the next call
// completes.
func (e *enrolment) keep(r *keys.Registry, a wire.Enrolled) error {
	for _, f := range []struct {
		name string
		data []byte
	}{
		{keys.RootFile, publicPEM(r.Root)},
		{keys.TrustFile, a.Trust},
		{keys.HouseFile, a.House},
		{keys.CAFile, certificatesPEM(r.Trust.CAs)},
		{keys.ClientCertFile, certificatesPEM(a.Certificates)},
	} {
		if err := durable.WriteFile(e.file(f.name), f.data, 0o600); err != nil {
			return err
		}
	}
	if err := e.settleOffer(); err != nil {
		return err
	}
	if err := keys.SavePlace(e.Dir, r); err != nil {
		return err
	}
	return durable.Remove(e.file(pendingFile))
}

// hinted is an error that says what to do.
func hinted(hint, format string, args ...any) error {
	return &control.Error{Message: fmt.Sprintf(format, args...), Hint: hint}
}
