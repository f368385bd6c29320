package faults

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// Certificates come to their end.
type Certificates struct {
	w *world.World
}

// NewCertificates are those to which nothing has happened yet.
func NewCertificates(w *world.World) *Certificates { return &Certificates{w} }

// Events are what happens, by the names that plans have for it.
func (c *Certificates) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"CA":                c.oldCA,
		"front certificate": c.front,
		"worn certificate":  c.worn,
		"no renewal":        func([4]int) { c.noRenewal() },
		"renewal again":     func([4]int) { c.RenewalAgain() },
		"endings shown":     func([4]int) { c.endingsShown() },
	}
}

// oldCA tells of a CA that was made almost 20 years ago: it is there from the
// beginning.
func (c *Certificates) oldCA(n [4]int) {
	c.w.Shown.Calm = false
	c.w.Report.Say("the registry's CA has %d hours left", n[0])
}

// front gives the front a certificate that ends in so many hours, as
// one that nobody has renewed for two years.
func (c *Certificates) front(n [4]int) {
	c.w.Shown.Calm = false
	left := time.Duration(n[0]) * time.Hour
	_, err := authority.RenewServer(c.w.Bed.Registry.Issuer.Disk.Dir(), c.w.Bed.Registry.Front.Disk.Dir(), nil, time.Now().AddDate(-2, 0, 0).Add(left))
	c.w.Report.Say("the front's certificate has %v left%s", left, world.Said(err))
	for _, b := range c.w.Bed.Gateways {
		b.CutLink()
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
}

// worn switches a gateway off whose certificate then ends; the event's
// after switches it on again.
func (c *Certificates) worn(n [4]int) {
	b, ok := world.Pick(n[0], c.w.Bed.Running())
	if !ok {
		return
	}
	c.w.Shown.Calm = false
	left := time.Duration(n[1]%20) * time.Hour
	c.w.Must(b.Name, b.CutPower())
	c.w.Report.Say("%s is switched off, and its certificate has %v left%s", b.Name, left, world.Said(c.wearOut(b, left)))
}

// wearOut puts a certificate into a gateway's directory that says the same as the one
// there and ends after so long.
func (c *Certificates) wearOut(b *testbed.Gateway, left time.Duration) error {
	path := b.Disk.Path("state", "keys", keys.ClientCertFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	block, rest := pem.Decode(raw)
	if block == nil {
		return fmt.Errorf("no certificate in %s", path)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	leaf.NotBefore, leaf.NotAfter = time.Now().Add(left-365*plan.Day), time.Now().Add(left)
	ca, err := tls.LoadX509KeyPair(filepath.Join(c.w.Bed.Registry.Issuer.Disk.Dir(), api.FileCA), filepath.Join(c.w.Bed.Registry.Issuer.Disk.Dir(), authority.FileCAKey))
	if err != nil {
		return err
	}
	block.Bytes, err = x509.CreateCertificate(rand.Reader, leaf, ca.Leaf, leaf.PublicKey, ca.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(pem.EncodeToMemory(block), rest...), 0o600)
}

// noRenewal bars the way on which certificates are renewed; the broker can be
// reached.
func (c *Certificates) noRenewal() {
	c.w.Shown.Calm = false
	c.w.Report.Say("nobody reaches the port of enrolment")
	c.w.Bed.LAN.Bar(fmt.Sprintf("%s:%d", testbed.Host, testbed.EnrolPort), true)
}

// RenewalAgain opens that way again.
func (c *Certificates) RenewalAgain() {
	if c.w.Bed.LAN.Bar(fmt.Sprintf("%s:%d", testbed.Host, testbed.EnrolPort), false) {
		c.w.Report.Say("the port of enrolment can be reached")
	}
}

// endingsShown is law W5 for what ends by itself: whoever looks is told before, and
// after.
func (c *Certificates) endingsShown() {
	const soon = 30 * plan.Day
	c.w.Look()
	if end, err := certificateEnd(c.w.Bed.Registry.Front.Disk.Path(api.FileServerCert)); err == nil && time.Until(end) < soon && c.w.Bed.Registry.Front.Running() {
		s, err := c.w.Bed.Registry.API.Status(c.w.Bed.Ctx)
		if err == nil && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "registryd renew-server") }) {
			c.w.Report.Breach("W5", "the front's certificate ends in %v, and its status does not say so", time.Until(end).Round(time.Hour))
		}
	}
	for _, b := range c.w.Bed.Running() {
		end, err := certificateEnd(b.Disk.Path("state", "keys", keys.ClientCertFile))
		if err != nil || time.Until(end) > soon || b.Clock.Boot() < 2*time.Hour || !b.Clock.Right() {
			continue
		}
		s, err := b.Status()
		if err == nil && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.HasPrefix(p, "this gateway's certificate") }) {
			c.w.Report.Breach("W5", "the certificate of %s ends in %v, and its status does not say so", b.Name, time.Until(end).Round(time.Hour))
		}
	}
}

// certificateEnd is when the first certificate of a file ends.
func certificateEnd(path string) (time.Time, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return time.Time{}, fmt.Errorf("no certificate in %s", path)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}, err
	}
	return leaf.NotAfter, nil
}

// Renewed is the other half of it: what was renewed is not said to end.
func (c *Certificates) Renewed() {
	for _, b := range c.w.Bed.Running() {
		s, err := b.Status()
		if err != nil {
			continue
		}
		for _, p := range s.Problems {
			if strings.Contains(p, "certificate") && strings.Contains(p, " is over ") {
				c.w.Report.Breach("W5", "%s still says: %s", b.Name, p)
			}
		}
	}
}
