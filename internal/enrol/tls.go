package enrol

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"gatehouse/internal/keyring"
)

// TLSConfig returns what the link to the broker asks for at each attempt: TLS
// 1.3, the gateway's client certificate, and a server judged by the CAs of the
// trust document in force (by those of ca.pem where that can't be read), never
// by the system's. Whether a certificate is of today counts only while trusted
// says so: a gateway that has no time yet gets it over this connection. Host is
// the name or address of the broker; empty: that of the enrolment. All is read
// anew at each call, so that renewed files are used. now is the machine's clock.
func TLSConfig(dir, host string, now func() time.Time, trusted func() bool) func() (*tls.Config, error) {
	return func() (*tls.Config, error) {
		r, roots, err := servers(dir)
		if err != nil {
			return nil, fmt.Errorf("TLS to the broker: %w", err)
		}
		host := host
		if host == "" {
			if host, _, err = net.SplitHostPort(r.Broker); err != nil {
				return nil, fmt.Errorf("TLS to the broker: %s: %w", keyring.RegistryFile, err)
			}
		}
		own, err := tls.LoadX509KeyPair(filepath.Join(dir, keyring.ClientCertFile), filepath.Join(dir, keyring.ClientKeyFile))
		if err != nil {
			return nil, fmt.Errorf("TLS to the broker: client certificate: %w", err)
		}
		c := tlsConfig(host, byRoots(roots, now, trusted))
		c.Certificates = []tls.Certificate{own}
		return c, nil
	}
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
func servers(dir string) (*keyring.Registry, *x509.CertPool, error) {
	r, err := keyring.LoadRegistry(dir)
	switch {
	case r == nil && err == nil:
		return nil, nil, hinted("gatehouse enrol makes it known to one", "this gateway is a house by itself and has no registry")
	case r == nil:
		return nil, nil, err
	case len(r.Trust.CAs) > 0:
		roots, err := certPool(r.Trust.CAs)
		return r, roots, err
	}
	kept, err := loadCertificates(filepath.Join(dir, keyring.CAFile))
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	for _, ca := range kept {
		roots.AddCert(ca)
	}
	return r, roots, nil
}
