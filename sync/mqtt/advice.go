package mqtt

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Cause is the part of the link that an error is about, where somebody can act on it.
type Cause int

const (
	CauseOther            Cause = iota
	CauseOurCertificate         // the broker refuses it: expired, of another CA, or none
	CauseTheirCertificate       // we refuse the broker's
)

// refusedError is the broker's refusal of a subscription.
type refusedError struct{ filter string }

func (e refusedError) Error() string { return "the broker refused subscription " + e.filter }

// errNoPing replaces paho's own error text.
var errNoPing = errors.New("the broker does not answer pings")

func causeOf(err error) Cause {
	switch {
	case ofCertificate(err) != "":
		return CauseTheirCertificate
	case isAlert(err) && strings.Contains(err.Error(), "certificate"):
		return CauseOurCertificate
	}
	return CauseOther
}

// advice returns what err means and what to do about it, in plain words.
func advice(err error) string {
	return cmp.Or(ofSubscription(err), ofCertificate(err), ofAlert(err), ofConnack(err), ofNetwork(err),
		"unexpected: see the error, and the broker's log")
}

func ofSubscription(err error) string {
	if refused, ok := errors.AsType[refusedError](err); ok {
		return "the broker's access list does not let this certificate subscribe to " + refused.filter + ": give it the permission there"
	}
	return ""
}

// ofCertificate returns why this end refuses the broker's certificate.
func ofCertificate(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the broker's certificate is signed by an unknown CA: wrong broker, somebody in between, or the registry has a new CA"
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the broker's certificate is for another name than " + e.Host + ": correct the address, or the certificate"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch {
		case e.Reason != x509.Expired:
			return "the broker's certificate may not be used for this: make it anew as a server's"
		case e.Cert != nil && time.Now().Before(e.Cert.NotBefore):
			return "the broker's certificate is not valid yet: the clock here is behind, or the certificate is from the future"
		}
		return "the broker's certificate has expired: its operator renews it (registryd renew-server); or set the clock here"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "no TLS there: wrong port, or the broker listens without TLS"
	}
	return ""
}

// ofAlert returns why the broker refuses our certificate. Go has no type for an alert of the peer,
// only its text. Servers written in Go say "bad certificate" for everything that is not named here.
func ofAlert(err error) string {
	if !isAlert(err) {
		return ""
	}
	for _, known := range [...]struct{ text, advice string }{
		{"expired certificate", "our certificate has expired, or the broker's clock is wrong: a new certificate is being asked for"},
		{"certificate required", "the broker wants a client certificate and we have none: enrol this gateway"},
		{"unknown certificate authority", "the broker does not know the CA of our certificate: enrol this gateway with this registry"},
		{"certificate", "the broker refuses our certificate: expired, revoked, or of another CA"},
		{"protocol version", "the broker does not speak TLS 1.3: allow it there"},
	} {
		if strings.Contains(err.Error(), known.text) {
			return known.advice
		}
	}
	return "the broker ended the TLS handshake: see its log"
}

func isAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// ofConnack returns why the broker refused the connection.
func ofConnack(err error) string {
	switch {
	case errors.Is(err, packets.ErrorRefusedNotAuthorised), errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword):
		return "the broker does not let this certificate in: enrol this gateway, or add it to the broker's users"
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return "the broker says that it is not available: see its log"
	case errors.Is(err, packets.ErrorRefusedIDRejected), errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return "the broker refuses MQTT 3.1.1 with a client id of 32 characters: it must allow both"
	}
	return ""
}

// ofNetwork returns what is wrong on the way to the broker.
func ofNetwork(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return "host " + e.Name + " not found: check the broker's name and the network's DNS"
	}
	switch {
	case errors.Is(err, errNoPing):
		return "the broker fell silent: a broken line, or a router that forgot the connection"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is the broker running, is the port right?"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no way to the broker: check cable, address and router"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return "no answer in time: check the network and its firewall"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the broker closed the connection: it stopped, does not accept this client, or another one came with its id"
	}
	return ""
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
