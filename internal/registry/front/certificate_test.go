package front

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/registry/api"
)

// serve writes the front's certificate and key as renew-server does: each file
// is another one.
func (r *rig) serve(serial int64) {
	r.t.Helper()
	server := r.certificate(&x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "registry"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	r.write("new.crt", "CERTIFICATE", server.Certificate[0])
	r.write("new.key", "PRIVATE KEY", r.pkcs8(server.PrivateKey))
	r.must(os.Rename(filepath.Join(r.dir, "new.key"), filepath.Join(r.dir, api.FileServerKey)))
	r.must(os.Rename(filepath.Join(r.dir, "new.crt"), filepath.Join(r.dir, api.FileServerCert)))
}

// shown is the serial number of the certificate that a server shows.
func shown(t *testing.T, address string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestNewCertificateWithoutRestart: broker and enrolment show what the files
// hold now, and go on with what they held where that is no certificate.
func TestNewCertificateWithoutRestart(t *testing.T) {
	r := newRig(t)
	f := r.start(Options{})
	both := func(what string, want int64) {
		t.Helper()
		for name, address := range map[string]string{"broker": f.broker, "enrolment": f.enrol} {
			if got := shown(t, address); got != want {
				t.Errorf("%s: the %s shows certificate %d, want %d", what, name, got, want)
			}
		}
	}
	both("at the start", 2)
	r.serve(77)
	both("a new one", 77)
	r.must(osWrite(filepath.Join(r.dir, api.FileServerCert), "garbage"))
	both("garbage", 77)
	r.must(os.Remove(filepath.Join(r.dir, api.FileServerCert)))
	both("no file", 77)
	r.serve(78)
	both("mended", 78)
}

// TestEndingsShow: what ends soon stands in the status.
func TestEndingsShow(t *testing.T) {
	r := newRig(t)
	f := r.start(Options{}) // its certificates last a day
	command := "registryd renew-server --dir " + filepath.Join(filepath.Dir(r.dir), "issuer") + " --front-dir " + r.dir
	s, err := f.client.Status(t.Context())
	r.must(err)
	if !strings.Contains(strings.Join(s.Problems, "\n"), command) {
		t.Errorf("the status does not say it: %q", s.Problems)
	}
}
