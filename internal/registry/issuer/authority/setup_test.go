package authority

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// TestInit: three directories, each with its own keys only, and nothing overwritten.
func TestInit(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, DirIssuer+".new"), 0o700); err != nil { // of an init that was interrupted
		t.Fatal(err)
	}
	setup := Setup{Registry: "registry-1", Hosts: []string{"registry.example.org", "192.0.2.1"}, Enrol: 8443, Broker: 8883, Config: []byte("x"), Now: start}
	if err := Init(dir, setup); err != nil {
		t.Fatal(err)
	}
	if err := Init(dir, setup); err == nil {
		t.Fatal("overwritten")
	}
	private := map[string][]string{DirFront: {api.FileServerKey, api.FileWitnessKey}, DirIssuer: {FileCAKey, FileDesk, FileIssuer},
		DirOffline: {FileEscrow, FileRecords, FileRootKey, FileSecond}}
	for directory, want := range private {
		files, err := os.ReadDir(filepath.Join(dir, directory))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			b, _ := os.ReadFile(filepath.Join(dir, directory, f.Name()))
			if info, _ := f.Info(); strings.Contains(string(b), "PRIVATE KEY") || strings.Contains(string(b), "SEAL KEY") {
				got = append(got, f.Name())
				if info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v", f.Name(), info.Mode())
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has the private keys %v, want %v", directory, got, want)
		}
	}
	root, err := keys.LoadRoot(filepath.Join(dir, DirFront, api.FileRoot))
	if err != nil {
		t.Fatal(err)
	}
	envelope, _ := os.ReadFile(filepath.Join(dir, DirFront, api.FileTrust))
	trust, err := keys.OpenTrust(envelope, root, "registry-1")
	if err != nil || trust.Version != 1 || len(trust.Keyset(wire.RoleIssuer)) != 2 || len(trust.Keyset(wire.RoleWitness)) != 1 {
		t.Fatal(trust, err)
	}
	checkServer(t, dir, trust)
}

func checkServer(t *testing.T, dir string, trust wire.Trust) {
	t.Helper()
	until, err := RenewServer(filepath.Join(dir, DirIssuer), filepath.Join(dir, DirFront), nil, start.AddDate(1, 0, 0))
	if err != nil || until.Before(start.AddDate(2, 11, 0)) {
		t.Fatal(until, err)
	}
	front := filepath.Join(dir, DirFront)
	pair, err := tls.LoadX509KeyPair(filepath.Join(front, api.FileServerCert), filepath.Join(front, api.FileServerKey))
	if err != nil {
		t.Fatal("the renewed certificate is for another key", err)
	}
	cert := pair.Leaf
	ca, _ := x509.ParseCertificate(trust.CAs[0])
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	for _, name := range []string{"registry.example.org", "192.0.2.1"} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: start.AddDate(2, 6, 0)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
