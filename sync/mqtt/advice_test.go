package mqtt_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatehouse/sync/mqtt"
)

// TestAdvice: what the other tests can't make happen on this machine.
func TestAdvice(t *testing.T) {
	alert := func(text string) error { return &net.OpError{Op: "remote error", Err: errors.New(text)} }
	dial := func(err error) error { return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", err)} }
	year := func(from, to int) *x509.Certificate {
		return &x509.Certificate{NotBefore: time.Now().AddDate(from, 0, 0), NotAfter: time.Now().AddDate(to, 0, 0)}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Name: "broker.example", IsNotFound: true}, "host broker.example not found"},
		{&net.DNSError{Name: "broker.example", IsTimeout: true}, "no answer in time"},
		{dial(syscall.ECONNREFUSED), "nothing listens there"},
		{dial(syscall.EHOSTUNREACH), "no way to the broker"},
		{dial(syscall.ETIMEDOUT), "no answer in time"},
		{x509.UnknownAuthorityError{}, "unknown CA"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "broker.example"}, "another name than broker.example"},
		{x509.CertificateInvalidError{Cert: year(-2, -1), Reason: x509.Expired}, "has expired"},
		{x509.CertificateInvalidError{Cert: year(1, 2), Reason: x509.Expired}, "clock here is behind"},
		{x509.CertificateInvalidError{Cert: year(-1, 1), Reason: x509.IncompatibleUsage}, "may not be used for this"},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "no TLS there"},
		{alert("tls: expired certificate"), "our certificate has expired"},
		{alert("tls: certificate required"), "we have none"},
		{alert("tls: unknown certificate authority"), "does not know the CA"},
		{alert("tls: bad certificate"), "refuses our certificate"},
		{alert("tls: protocol version not supported"), "does not speak TLS 1.3"},
		{alert("tls: internal error"), "ended the TLS handshake"},
		{packets.ErrorRefusedNotAuthorised, "does not let this certificate in"},
		{packets.ErrorRefusedServerUnavailable, "not available"},
		{packets.ErrorRefusedIDRejected, "client id of 32 characters"},
		{syscall.ECONNRESET, "closed the connection"},
		{errors.New("something else"), "unexpected"},
	} {
		if got := mqtt.Advice(fmt.Errorf("connect to broker: %w", c.err)); !strings.Contains(got, c.want) {
			t.Errorf("%v: advice %q, want %q", c.err, got, c.want)
		}
	}
}
