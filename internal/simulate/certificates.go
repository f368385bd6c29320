package simulate

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
)

// oldCA tells of a CA that was made almost 20 years ago: it is there from the
// beginning.
func (w *world) oldCA(n [4]int) {
	w.calm = false
	w.report.Say("the registry's CA has %d hours left", n[0])
}

// replaceCA is what a status asks for: a new CA, with the root's key, and what that
// command prints then.
func (w *world) replaceCA() {
	next := authority.NextTrust{Dir: w.bed.Registry.Issuer.Disk.Dir(), Front: w.bed.Registry.Front.Disk.Dir(), Root: w.bed.Path("offline/" + authority.FileRootKey),
		Replace: []string{authority.ReplaceCA}, Now: w.bed.Registry.Issuer.Clock.Wall()}
	_, err := next.Sign()
	w.report.Say("the operator: registryd trust new --replace ca%s", said(err))
	w.issuerAgain([4]int{})
	time.Sleep(2 * time.Hour)
	synctest.Wait()
	w.renewServer()
}

// renewServer gives the front its next certificate, which it takes by itself.
func (w *world) renewServer() {
	_, err := authority.RenewServer(w.bed.Registry.Issuer.Disk.Dir(), w.bed.Registry.Front.Disk.Dir(), nil, w.bed.Registry.Issuer.Clock.Wall())
	w.report.Say("the operator: registryd renew-server%s", said(err))
}

// operatorLooks: operator and landlord look at what is to do, and do it.
func (w *world) operatorLooks([4]int) {
	w.look()
	w.follow()
}

// frontCertificate gives the front a certificate that ends in so many hours, as
// one that nobody has renewed for two years.
func (w *world) frontCertificate(n [4]int) {
	w.calm = false
	left := time.Duration(n[0]) * time.Hour
	_, err := authority.RenewServer(w.bed.Registry.Issuer.Disk.Dir(), w.bed.Registry.Front.Disk.Dir(), nil, time.Now().AddDate(-2, 0, 0).Add(left))
	w.report.Say("the front's certificate has %v left%s", left, said(err))
	for _, b := range w.bed.Gateways {
		b.CutLink()
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
}

// lineDrops ends a connection, so that it has to be made again.
func (w *world) lineDrops(n [4]int) {
	if b, ok := pick(n[0], w.bed.Running()); ok && b.Linked() {
		w.report.Say("the connection of %s drops", b.Name)
		b.CutLink()
	}
}

// wornCertificate switches a gateway off whose certificate then ends; the event's
// after switches it on again.
func (w *world) wornCertificate(n [4]int) {
	b, ok := pick(n[0], w.bed.Running())
	if !ok {
		return
	}
	w.calm = false
	left := time.Duration(n[1]%20) * time.Hour
	w.must(b.Name, b.CutPower())
	w.report.Say("%s is switched off, and its certificate has %v left%s", b.Name, left, said(w.wearOut(b, left)))
}

// wearOut puts a certificate into a gateway's folder that says the same as the one
// there and ends after so long.
func (w *world) wearOut(b *testbed.Gateway, left time.Duration) error {
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
	ca, err := tls.LoadX509KeyPair(filepath.Join(w.bed.Registry.Issuer.Disk.Dir(), api.FileCA), filepath.Join(w.bed.Registry.Issuer.Disk.Dir(), authority.FileCAKey))
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
func (w *world) noRenewal([4]int) {
	w.calm = false
	w.report.Say("nobody reaches the port of enrolment")
	w.bed.LAN.Bar(fmt.Sprintf("%s:%d", testbed.Host, testbed.EnrolPort), true)
}

func (w *world) renewalAgain([4]int) {
	if w.bed.LAN.Bar(fmt.Sprintf("%s:%d", testbed.Host, testbed.EnrolPort), false) {
		w.report.Say("the port of enrolment can be reached")
	}
}

// endingsShown is law W5 for what ends by itself: whoever looks is told before, and
// after.
func (w *world) endingsShown([4]int) {
	const soon = 30 * plan.Day
	w.look()
	if end, err := certificateEnd(w.bed.Registry.Front.Disk.Path(api.FileServerCert)); err == nil && time.Until(end) < soon && w.bed.Registry.Front.Running() {
		s, err := w.bed.Registry.API.Status(w.bed.Ctx)
		if err == nil && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "registryd renew-server") }) {
			w.report.Breach("W5", "the front's certificate ends in %v, and its status does not say so", time.Until(end).Round(time.Hour))
		}
	}
	for _, b := range w.bed.Running() {
		end, err := certificateEnd(b.Disk.Path("state", "keys", keys.ClientCertFile))
		if err != nil || time.Until(end) > soon || b.Clock.Boot() < 2*time.Hour || !b.Clock.Right() {
			continue
		}
		s, err := b.Status()
		if err == nil && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.HasPrefix(p, "this gateway's certificate") }) {
			w.report.Breach("W5", "the certificate of %s ends in %v, and its status does not say so", b.Name, time.Until(end).Round(time.Hour))
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

// outdated is the other half of it: what was renewed is not said to end.
func (w *world) outdated() {
	for _, b := range w.bed.Running() {
		s, err := b.Status()
		if err != nil {
			continue
		}
		for _, p := range s.Problems {
			if strings.Contains(p, "certificate") && strings.Contains(p, " is over ") {
				w.report.Breach("W5", "%s still says: %s", b.Name, p)
			}
		}
	}
}
