package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOwn: a certificate is made once, for its names and addresses, and stays.
func TestOwn(t *testing.T) {
	dir := t.TempDir()
	first, err := Own(dir, []string{"gatehouse.local", "192.168.4.1"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Own(dir, []string{"another.example"})
	if err != nil || !bytes.Equal(first.Certificate[0], again.Certificate[0]) {
		t.Fatalf("a second start has another certificate: %v", err)
	}
	if !regexp.MustCompile(`^([0-9A-F]{2}:){31}[0-9A-F]{2}$`).MatchString(Fingerprint(first)) {
		t.Errorf("fingerprint %q", Fingerprint(first))
	}
	if info, err := os.Stat(filepath.Join(dir, "page.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file of the key: %v, %v", info.Mode(), err)
	}
	c := parse(t, first)
	for name, good := range map[string]bool{"gatehouse.local": true, "192.168.4.1": true, "another.example": false, "192.168.4.2": false} {
		if err := c.VerifyHostname(name); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c.IsCA || c.KeyUsage&x509.KeyUsageCertSign != 0 {
		t.Error("who trusts this certificate would trust others that it signs")
	}
}

func parse(t *testing.T, c tls.Certificate) *x509.Certificate {
	t.Helper()
	parsed, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestWrongClock: a gateway whose clock is decades behind makes a certificate that a phone
// of today, and of 2049, takes.
func TestWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock says 2000 here
		own, err := Own(t.TempDir(), []string{"gatehouse.local"})
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(parse(t, own))
		for _, at := range []time.Time{time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), time.Date(2049, 12, 30, 0, 0, 0, 0, time.UTC)} {
			if _, err := parse(t, own).Verify(x509.VerifyOptions{DNSName: "gatehouse.local", Roots: pool, CurrentTime: at}); err != nil {
				t.Errorf("on %s: %v", at.Format(time.DateOnly), err)
			}
		}
	})
}

// TestDamaged: a key that can't be read is told, and never replaced.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	if _, err := Own(dir, []string{"localhost"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "page.pem")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := create([]string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	keyAt := bytes.Index(whole, []byte("-----BEGIN PRIVATE"))
	for name, bad := range map[string][]byte{"empty": nil, "half": whole[:keyAt+40], "no key": whole[:keyAt],
		"another's key": append(bytes.Clone(whole[:keyAt]), other[bytes.Index(other, []byte("-----BEGIN PRIVATE")):]...)} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Own(dir, []string{"localhost"}); err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, bad) {
			t.Errorf("%s was written over", name)
		}
	}
}
