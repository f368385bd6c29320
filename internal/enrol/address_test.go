package enrol

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// moved enrols a gateway whose registry is then nowhere to be found at the
// addresses of its token, and returns where it is.
func moved(t *testing.T, i *issuer, trust ...string) (dir, now string) {
	t.Helper()
	dir = t.TempDir()
	_, err := Enrol(t.Context(), i.options(dir))
	fatal(t, err)
	reg, err := keys.LoadRegistry(dir)
	fatal(t, err)
	now = reg.Enrol
	reg.Enrol, reg.Broker = "127.0.0.1:1", "127.0.0.1:2"
	fatal(t, keys.SavePlace(dir, reg))
	if len(trust) > 0 {
		next := i.trust
		next.Version++
		next.Addresses = trust
		payload, err := wire.Encode(next)
		fatal(t, err)
		envelope, err := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: next.Registry, Version: wire.VersionOf(next)}, payload, i.root)
		fatal(t, err)
		fatal(t, os.WriteFile(filepath.Join(dir, keys.TrustFile), envelope, 0o600))
		i.trust.Version = next.Version
	}
	return dir, now
}

// TestAddresses: those of the trust document, then those that were added on
// site, then the token's, each once; the token's never go.
func TestAddresses(t *testing.T) {
	dir, _ := moved(t, newIssuer(t), "mqtts://trust.example:8883", "https://trust.example:8443")
	for _, url := range []string{"mqtts://site.example:8883", "mqtts://site.example:8883", "mqtts://trust.example:8883", "https://127.0.0.1:1"} {
		fatal(t, AddAddress(dir, url))
	}
	check := func(broker, enrol []string) {
		t.Helper()
		a, err := LoadAddresses(dir)
		fatal(t, err)
		if !slices.Equal(a.Broker, broker) || !slices.Equal(a.Enrol, enrol) {
			t.Errorf("broker %q, enrolment %q", a.Broker, a.Enrol)
		}
	}
	enrolment := []string{"trust.example:8443", "127.0.0.1:1"}
	check([]string{"mqtts://trust.example:8883", "mqtts://site.example:8883", "mqtts://127.0.0.1:2"}, enrolment)
	fatal(t, RemoveAddress(dir, "mqtts://site.example:8883"))
	check([]string{"mqtts://trust.example:8883", "mqtts://127.0.0.1:2"}, enrolment)
	for _, bad := range []string{"", "registry.example", "mqtt://a:1", "http://a:1", "https://a", "https://a:99999", "mqtts://a:1/x", "mqtts://a b:1", "mqtts://a:1\nmqtts://b:1"} {
		if err := AddAddress(dir, bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if err := RemoveAddress(dir, "mqtts://127.0.0.1:2"); err == nil {
		t.Error("the token's address goes")
	}
	fatal(t, os.WriteFile(filepath.Join(dir, AddressFile), []byte("garbage\x00\n\nmqtts://left.example:8883\n"), 0o600))
	check([]string{"mqtts://trust.example:8883", "mqtts://left.example:8883", "mqtts://127.0.0.1:2"}, enrolment)
	fatal(t, os.WriteFile(filepath.Join(dir, AddressFile), []byte(strings.Repeat("x", 10)), 0o600))
	for n := range maxAdded {
		fatal(t, AddAddress(dir, "mqtts://a"+string(rune('a'+n))+".example:8883"))
	}
	if err := AddAddress(dir, "mqtts://z.example:1"); err == nil {
		t.Error("addresses without end")
	}
	if _, err := LoadAddresses(t.TempDir()); err == nil {
		t.Error("a standalone house has a registry")
	}
}

// TestRenewAfterAMove: the certificate is renewed at the address that the trust
// document names, or that was added on site, and by no server of another CA.
func TestRenewAfterAMove(t *testing.T) {
	renew := func(dir string) error {
		return NewRenewer(RenewerOptions{Dir: dir, Now: time.Now, Trusted: yes}).Renew(t.Context())
	}
	i := newIssuer(t)
	dir, now := moved(t, i)
	if err := renew(dir); err == nil {
		t.Fatal("renewed where nobody is")
	}
	other := newIssuer(t)
	fatal(t, AddAddress(dir, "https://"+other.server.Listener.Addr().String()))
	if err := renew(dir); err == nil {
		t.Error("renewed by another registry")
	}
	fatal(t, AddAddress(dir, "https://"+now))
	fatal(t, renew(dir))

	i = newIssuer(t)
	dir, _ = moved(t, i, "https://127.0.0.1:3", "https://"+i.server.Listener.Addr().String())
	fatal(t, renew(dir))
}
