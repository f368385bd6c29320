package enrol

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/keys"
	"gatehouse/internal/network"
	"gatehouse/sync/wire"
)

// The registry's HTTPS.
const (
	pathIntroduce = "/v1/introduce" // JSON {building, gateway, proof} -> wire.Introduction
	pathEnrol     = "/v1/enrol"     // envelope -> wire.Enrolled
	pathRenew     = "/v1/renew"     // envelope -> wire.Enrolled
	typeJSON      = "application/json"
	typeCOSE      = "application/cose"
)

const (
	requestTimeout = 40 * time.Second // the issuer has ten to answer, behind a slow line
	maxAnswer      = 256 << 10        // bytes: two envelopes and a chain are far below
)

// client talks to the registry's HTTPS. It uses no proxy of the environment and follows no redirect.
type client struct {
	host string // host:port
	http *http.Client
}

// verify judges the chain of a server for a host.
type verify func(host string, chain []*x509.Certificate) error

func newClient(n network.Network, host string, v verify) *client {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return &client{host: host, http: &http.Client{
		Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the registry redirects, which is not followed")
		},
		Transport: &http.Transport{DialContext: n.Dial, TLSClientConfig: tlsConfig(name, v), DisableKeepAlives: true},
	}}
}

// tlsConfig returns TLS 1.3 with our own verification of the server in place of the system's list
// of CAs.
func tlsConfig(host string, v verify) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, ServerName: host,
		InsecureSkipVerify: true, // VerifyConnection judges, and runs on every connection
		VerifyConnection:   func(s tls.ConnectionState) error { return v(host, s.PeerCertificates) }}
}

// pinned accepts a server only with the one CA in its chain that has this hash. Time is not judged:
// a new gateway may have none, and the token is fresh.
func pinned(ca wire.Hash) verify {
	return func(host string, chain []*x509.Certificate) error {
		for _, cert := range chain {
			if sha256.Sum256(cert.Raw) == ca {
				return judge(chain, poolOf(cert), host, time.Time{})
			}
		}
		return errOtherCA
	}
}

var errOtherCA = errors.New("the server does not show the CA of the token")

// introduce sends a proof of the token, without which the registry does not answer.
func (c *client) introduce(ctx context.Context, at wire.Place, secret [16]byte) (i wire.Introduction, err error) {
	proof := wire.IntroduceProof(secret, at.Address())
	body, err := json.Marshal(struct {
		Building string `json:"building"`
		Gateway  string `json:"gateway"`
		Proof    string `json:"proof"`
	}{at.Building, at.Gateway, hex.EncodeToString(proof[:])})
	if err != nil {
		return i, err
	}
	return i, post(ctx, c, pathIntroduce, typeJSON, body, &i)
}

// post sends a request and reads the answer, whole and strictly.
func post[P wire.Payload](ctx context.Context, c *client, path, kind string, body []byte, answer *P) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.host+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the registry: %w", err)
	}
	r.Header.Set("Content-Type", kind)
	res, err := c.http.Do(r)
	if err != nil {
		return c.explain(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the registry's answer: %w", err)
	case len(b) > maxAnswer:
		return fmt.Errorf("read the registry's answer: %w: more than %d bytes", wire.ErrTooLarge, maxAnswer)
	case res.StatusCode != http.StatusOK:
		return refusal(res.StatusCode, b)
	}
	if err := wire.Decode(b, answer); err != nil {
		return fmt.Errorf("read the registry's answer: %w", err)
	}
	return nil
}

// refusal returns the registry's error with its hint.
func refusal(status int, body []byte) error {
	var said control.Error
	if err := json.Unmarshal(body, &said); err != nil || said.Message == "" {
		return hinted("is this the enrolment address of a registry?", "the registry answered with HTTP status %d", status)
	}
	said.Message = "the registry refuses: " + said.Message
	if status == http.StatusTooManyRequests || status >= 500 {
		return &said // not judged yet
	}
	return &wrapped{&said, errRefused}
}

// errRefused means that the issuer has judged the request: the same again would be judged the same.
var errRefused = errors.New("refused by the issuer")

// explain adds what to do to a failed connection.
func (c *client) explain(err error) error {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	message := fmt.Sprintf("ask the registry at %s: %v", c.host, err)
	hint := "is the network up, and is the address in the token right?"
	switch {
	case errors.As(err, &name):
		hint = "the server's certificate is for another host name: the registry's operator makes one for " + c.host
	case errors.Is(err, errOtherCA), errors.As(err, &authority):
		hint = "somebody answers in the registry's place, or it has a new CA: ask for a new token"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		hint = "the server's certificate is not valid at this machine's time: is the clock right? If it is, the registry's operator renews the certificate"
	case errors.Is(err, context.DeadlineExceeded):
		hint = "the registry is slow or away: try again later"
	}
	return &wrapped{&control.Error{Message: message, Hint: hint}, err}
}

// wrapped adds a hint, and keeps the cause for errors.Is.
type wrapped struct {
	said  *control.Error
	cause error
}

func (w *wrapped) Error() string { return w.said.Message }

func (w *wrapped) Unwrap() []error { return []error{w.said, w.cause} }

// Broker is how the link verifies the broker, and which certificate it shows.
type Broker struct {
	Dir     string           // directory of keys
	Now     func() time.Time // the machine's clock
	Trusted func() bool      // whether Now counts: a gateway that has no time yet gets it over this connection
	Seen    func(server *x509.Certificate)
}

// TLS returns the link's configuration at each attempt: TLS 1.3, the gateway's client certificate,
// and a server verified by the CAs of the active trust document (of ca.pem where that can't be
// read), never by the system's. All files are read at each call. A good server is passed to Seen.
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

// ClientFiles returns why the key or, where that is good, the certificate of the gateway for the
// broker can't be used; nil: it can.
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

// servers returns the stored registry, and the CAs of its servers.
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

// registryOf returns the stored registry of an enrolled gateway, as far as it can be read.
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
