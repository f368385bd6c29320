package enrol

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// identity is whom an answer of the registry must be for, and who may sign it.
type identity struct {
	place    wire.Place
	root     ed25519.PublicKey
	registry string
	trust    uint64 // versions that the answer's may not be below: an older house
	house    uint64 // document may name a gateway that was stolen since
	signing  ed25519.PublicKey
	client   *ecdsa.PublicKey
}

// checked is a verified answer.
type checked struct {
	trust       wire.Trust
	house       wire.House
	certificate *x509.Certificate
}

// check accepts nothing that the root of the token does not vouch for.
func (i identity) check(a wire.Enrolled) (c checked, err error) {
	if c.trust, err = openTrust(a.Trust, i.root, i.registry); err != nil {
		return c, err
	}
	if c.trust.Version < i.trust {
		return c, fmt.Errorf("%w: trust of version %d after %d", wire.ErrMalformed, c.trust.Version, i.trust)
	}
	if c.house, err = keys.OpenHouse(a.House, c.trust, i.place.Building); err != nil {
		return c, hinted("the registry's trust and its issuer do not fit together: tell its operator", "the answer is refused: %v", err)
	}
	if c.house.Version < i.house {
		return c, fmt.Errorf("%w: house document of version %d after %d", wire.ErrMalformed, c.house.Version, i.house)
	}
	if c.house.District != i.place.District || c.house.Town != i.place.Town {
		return c, hinted("ask the registry for a new token", "the registry has building %s in %s/%s, the token says %s/%s",
			i.place.Building, c.house.District, c.house.Town, i.place.District, i.place.Town)
	}
	us := c.house.Gateway(i.place.Gateway)
	if us == nil || !bytes.Equal(us.Public[:], i.signing) {
		return c, hinted("tell the registry's operator", "the registry's document of building %s does not name this gateway's key", i.place.Building)
	}
	c.certificate, err = i.certificate(a, c.trust)
	return c, err
}

// certificate returns the gateway's certificate, verified at the registry's time.
func (i identity) certificate(a wire.Enrolled, trust wire.Trust) (*x509.Certificate, error) {
	chain, err := parseCertificates("certificate", a.Certificates)
	if err != nil {
		return nil, err
	}
	leaf := chain[0] // Enrolled has one at least
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(i.client) {
		return nil, hinted("tell the registry's operator", "the registry signed a certificate for another key")
	}
	roots, err := parseCertificates(ofTrust, trust.CAs)
	if err != nil {
		return nil, err
	}
	if _, err = leaf.Verify(x509.VerifyOptions{Roots: poolOf(roots...), Intermediates: poolOf(chain[1:]...), CurrentTime: time.Unix(int64(a.Time), 0),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return nil, hinted("tell the registry's operator", "the registry's certificate for this gateway does not verify: %v", err)
	}
	uri := URI(i.place)
	if id := wire.IDOf(i.signing); leaf.Subject.SerialNumber != hex.EncodeToString(id[:]) {
		return nil, hinted("tell the registry's operator", "the registry's certificate is made out for another signing key: the broker would refuse it")
	}
	if leaf.Subject.CommonName != i.place.Address() || len(leaf.URIs) != 1 || leaf.URIs[0].String() != uri {
		return nil, hinted("tell the registry's operator", "the registry's certificate is for %q, not for %s", leaf.Subject.CommonName, uri)
	}
	return leaf, nil
}

// URI returns the name of a gateway in its client certificate.
func URI(p wire.Place) string {
	return "gatehouse:" + p.District + "/" + p.Town + "/" + p.Building + "/" + p.Gateway
}

func openTrust(envelope []byte, root ed25519.PublicKey, registry string) (wire.Trust, error) {
	trust, err := keys.OpenTrust(envelope, root, registry)
	if err != nil {
		return trust, hinted("somebody answers in the registry's place, or the token is of another registry: ask for a new token",
			"the registry's trust document is refused: %v", err)
	}
	return trust, nil
}

const ofTrust = "CA of the trust document"

func parseCertificates(what string, ders [][]byte) (all []*x509.Certificate, err error) {
	for _, der := range ders {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", what, wire.ErrMalformed, err)
		}
		all = append(all, cert)
	}
	return all, nil
}

func poolOf(certs ...*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return pool
}

// errNoCertificate means a server that shows none, which TLS 1.3 rules out.
var errNoCertificate = errors.New("the server shows no certificate")

// judge verifies a server's chain for a host against the roots, at a time. A zero time means that
// no clock is trusted: then any moment of the certificate's life will do, and only the chain and
// the name count.
func judge(chain []*x509.Certificate, roots *x509.CertPool, host string, now time.Time) error {
	if len(chain) == 0 {
		return errNoCertificate
	}
	at := []time.Time{now}
	if now.IsZero() {
		at = []time.Time{chain[0].NotBefore, chain[0].NotAfter}
	}
	var errs []error
	for _, t := range at {
		_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: poolOf(chain[1:]...), DNSName: host, CurrentTime: t,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		errs = append(errs, err)
	}
	if slices.Contains(errs, nil) {
		return nil
	}
	return errs[0]
}
