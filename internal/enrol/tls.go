package enrol

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"time"

	"gatehouse/internal/keys"
)

// Broker says how the link judges the broker, and by what it shows itself.
type Broker struct {
	Dir     string           // directory of keys
	Now     func() time.Time // the machine's clock
	Trusted func() bool      // whether that counts: a gateway that has no time yet gets it over this connection
	Seen    func(server *x509.Certificate)
}

// TLS returns what the link to the broker asks for at each attempt: TLS 1.3, the
// gateway's client certificate, and a server judged by the CAs of the trust
// active document (by those of ca.pem where that can't be read), never by the
// system's. All is read anew at each call, so that renewed files are used. A
// server that was found good is shown to Seen.
func (b Broker) TLS(host string) (*tls.Config, error) {
	_, roots, err := servers(b.Dir)
	if err != nil {
		return nil, fmt.Errorf("TLS to the broker: %w", err)
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(b.Dir, keys.ClientCertFile), filepath.Join(b.Dir, keys.ClientKeyFile))
	if err != nil {
		return nil, fmt.Errorf("TLS to the broker: client certificate: %w", err)
	}
	good := byRoots(roots, b.Now, b.Trusted)
	c := tlsConfig(host, func(host string, chain []*x509.Certificate) error {
		err := good(host, chain)
		if err == nil && b.Seen != nil {
			b.Seen(chain[0])
		}
		return err
	})
	c.Certificates = []tls.Certificate{own}
	return c, nil
}

// ClientFiles tells why the key or, where that is good, the certificate can't be used by
// which the broker knows this gateway; nil where it can.
func ClientFiles(dir string) (key, certificate error) {
	path := filepath.Join(dir, keys.ClientKeyFile)
	if _, err := loadClientKey(path); err != nil {
		return err, nil
	}
	_, err := tls.LoadX509KeyPair(filepath.Join(dir, keys.ClientCertFile), path)
	return nil, err
}

// byRoots judges a server by a set of CAs, and by the time where it is known.
func byRoots(roots *x509.CertPool, now func() time.Time, trusted func() bool) verify {
	return func(host string, chain []*x509.Certificate) error {
		var at time.Time
		if trusted() {
			at = now()
		}
		return judge(chain, roots, host, at)
	}
}

// servers returns what is known of the registry, and the CAs of its servers.
func servers(dir string) (*keys.Registry, *x509.CertPool, error) {
	r, err := registryOf(dir)
	if err != nil {
		return nil, nil, err
	}
	roots, err := parseCertificates(ofTrust, r.Trust.CAs)
	if len(r.Trust.CAs) == 0 {
		roots, err = loadCertificates(filepath.Join(dir, keys.CAFile))
	}
	return r, poolOf(roots...), err
}

// registryOf returns what is known of the registry of an enrolled gateway, as far as it
// can be read.
func registryOf(dir string) (*keys.Registry, error) {
	r, err := keys.LoadRegistry(dir)
	switch {
	case r != nil:
		return r, nil
	case err == nil:
		err = hinted("gatehouse enrol makes it known to one", "this gateway is a standalone house and has no registry")
	}
	return nil, err
}
