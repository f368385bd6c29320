package simulate

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/simulate/plan"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
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
	next := authority.NextTrust{Dir: w.centre.issuer.disk.Dir(), Front: w.centre.front.disk.Dir(), Root: w.path("offline/" + authority.FileRootKey),
		Replace: []string{authority.ReplaceCA}, Now: w.centre.issuer.clock.Wall()}
	_, err := next.Sign()
	w.report.Say("the operator: registryd trust new --replace ca%s", said(err))
	w.issuerAgain([4]int{})
	time.Sleep(2 * time.Hour)
	synctest.Wait()
	w.renewServer()
}

// renewServer gives the front its next certificate, which it takes by itself.
func (w *world) renewServer() {
	_, err := authority.RenewServer(w.centre.issuer.disk.Dir(), w.centre.front.disk.Dir(), nil, w.centre.issuer.clock.Wall())
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
	_, err := authority.RenewServer(w.centre.issuer.disk.Dir(), w.centre.front.disk.Dir(), nil, time.Now().AddDate(-2, 0, 0).Add(left))
	w.report.Say("the front's certificate has %v left%s", left, said(err))
	for _, b := range w.gateways {
		b.cutLink()
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
}

// lineDrops ends a connection, so that it has to be made again.
func (w *world) lineDrops(n [4]int) {
	if b, ok := pick(n[0], w.running()); ok && b.life.link != nil {
		w.report.Say("the connection of %s drops", b.name)
		b.cutLink()
	}
}

// wornCertificate switches a gateway off whose certificate then ends; the event's
// after switches it on again.
func (w *world) wornCertificate(n [4]int) {
	b, ok := pick(n[0], w.running())
	if !ok {
		return
	}
	w.calm = false
	left := time.Duration(n[1]%20) * time.Hour
	w.must(b.name, b.cutPower())
	w.report.Say("%s is switched off, and its certificate has %v left%s", b.name, left, said(w.wearOut(b, left)))
}

// wearOut puts a certificate into a gateway's folder that says the same as the one
// there and ends after so long.
func (w *world) wearOut(b *box, left time.Duration) error {
	path := b.disk.Path("state", "keys", keys.ClientCertFile)
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
	ca, err := tls.LoadX509KeyPair(filepath.Join(w.centre.issuer.disk.Dir(), api.FileCA), filepath.Join(w.centre.issuer.disk.Dir(), authority.FileCAKey))
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
	w.lan.Bar(fmt.Sprintf("%s:%d", host, enrolPort), true)
}

func (w *world) renewalAgain([4]int) {
	if w.lan.Bar(fmt.Sprintf("%s:%d", host, enrolPort), false) {
		w.report.Say("the port of enrolment can be reached")
	}
}

// endingsShown is law W5 for what ends by itself: whoever looks is told before, and
// after.
func (w *world) endingsShown([4]int) {
	const soon = 30 * plan.Day
	w.look()
	if end, err := certificateEnd(w.centre.front.disk.Path(api.FileServerCert)); err == nil && time.Until(end) < soon && w.centre.front.running() {
		s, err := w.centre.api.Status(w.ctx)
		if err == nil && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "registryd renew-server") }) {
			w.report.Breach("W5", "the front's certificate ends in %v, and its status does not say so", time.Until(end).Round(time.Hour))
		}
	}
	for _, b := range w.running() {
		end, err := certificateEnd(b.disk.Path("state", "keys", keys.ClientCertFile))
		if err != nil || time.Until(end) > soon || b.clock.Boot() < 2*time.Hour || !b.clock.Right() {
			continue
		}
		s, err := b.status()
		if err == nil && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.HasPrefix(p, "this gateway's certificate") }) {
			w.report.Breach("W5", "the certificate of %s ends in %v, and its status does not say so", b.name, time.Until(end).Round(time.Hour))
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
	for _, b := range w.running() {
		s, err := b.status()
		if err != nil {
			continue
		}
		for _, p := range s.Problems {
			if strings.Contains(p, "certificate") && strings.Contains(p, " is over ") {
				w.report.Breach("W5", "%s still says: %s", b.name, p)
			}
		}
	}
}
