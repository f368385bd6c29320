package simulate

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"gatehouse/internal/registry/issuer/authority"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
)

// wear makes the front's certificate one that ends within the days of the plan.
// Somebody looks at the status hours later only.
func (p *Plan) wear(dice *mathrand.Rand) {
	hours := 8 + dice.IntN(max(1, 24*p.Days-10))
	at := func(h float64) time.Duration {
		return time.Duration(h*float64(time.Hour)).Truncate(time.Microsecond) + 137
	}
	what, look := "front certificate", float64(hours+3+dice.IntN(12))
	if dice.IntN(3) == 0 {
		what, look = "CA", look-float64(12*dice.IntN(2))
	}
	p.Events = append(p.Events, Event{At: at(0.06), Kind: what, N: [4]int{hours}},
		Event{At: at(float64(hours) - 1), Kind: "endings shown"}, Event{At: at(float64(hours) + 2), Kind: "endings shown"},
		Event{At: at(max(look, 1)), Kind: "operator looks"})
}

// caEnds is after how long the registry's first CA ends: 20 years, or what the plan
// says.
func (p *Plan) caEnds() (after time.Duration, ok bool) {
	for _, e := range p.Events {
		if e.Kind == "CA" {
			return time.Duration(e.N[0]) * time.Hour, true
		}
	}
	return 0, false
}

// oldCA tells of a CA that was made almost 20 years ago: it is there from the
// beginning.
func (w *world) oldCA(n [4]int) {
	w.calm = false
	w.say("the registry's CA has %d hours left", n[0])
}

// replaceCA is what a status asks for: a new CA, with the root's key, and what that
// command prints then.
func (w *world) replaceCA() {
	next := authority.NextTrust{Dir: w.centre.issuer.disk.dir(), Front: w.centre.front.disk.dir(), Root: w.path("offline/" + authority.FileRootKey),
		Replace: []string{authority.ReplaceCA}, Now: w.centre.issuer.clock.Wall()}
	_, err := next.Sign()
	w.say("the operator: registryd trust new --replace ca%s", said(err))
	w.issuerAgain([4]int{})
	time.Sleep(2 * time.Hour)
	synctest.Wait()
	w.renewServer()
}

// renewServer gives the front its next certificate, which it takes by itself.
func (w *world) renewServer() {
	_, err := authority.RenewServer(w.centre.issuer.disk.dir(), w.centre.front.disk.dir(), nil, w.centre.issuer.clock.Wall())
	w.say("the operator: registryd renew-server%s", said(err))
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
	_, err := authority.RenewServer(w.centre.issuer.disk.dir(), w.centre.front.disk.dir(), nil, time.Now().AddDate(-2, 0, 0).Add(left))
	w.say("the front's certificate has %v left%s", left, said(err))
	for _, b := range w.gateways {
		b.cutLink()
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
}

// lineDrops ends a connection, so that it has to be made again.
func (w *world) lineDrops(n [4]int) {
	if b, ok := pick(n[0], w.running()); ok && b.life.link != nil {
		w.say("the connection of %s drops", b.name)
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
	w.say("%s is switched off, and its certificate has %v left%s", b.name, left, said(w.wearOut(b, left)))
}

// wearOut puts a certificate into a gateway's folder that says the same as the one
// there and ends after so long.
func (w *world) wearOut(b *box, left time.Duration) error {
	path := b.disk.path("state", "keys", keys.ClientCertFile)
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
	leaf.NotBefore, leaf.NotAfter = time.Now().Add(left-365*day), time.Now().Add(left)
	ca, err := tls.LoadX509KeyPair(filepath.Join(w.centre.issuer.disk.dir(), api.FileCA), filepath.Join(w.centre.issuer.disk.dir(), authority.FileCAKey))
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
	w.say("nobody reaches the port of enrolment")
	w.town.bar(fmt.Sprintf("%s:%d", host, enrolPort), true)
}

func (w *world) renewalAgain([4]int) {
	if w.town.bar(fmt.Sprintf("%s:%d", host, enrolPort), false) {
		w.say("the port of enrolment can be reached")
	}
}

// endingsShown is law W5 for what ends by itself: whoever looks is told before, and
// after.
func (w *world) endingsShown([4]int) {
	const soon = 30 * day
	w.look()
	if end, err := certificateEnd(w.centre.front.disk.path(api.FileServerCert)); err == nil && time.Until(end) < soon && w.centre.front.running() {
		s, err := w.centre.api.Status(w.ctx)
		if err == nil && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "registryd renew-server") }) {
			w.breach("W5", "the front's certificate ends in %v, and its status does not say so", time.Until(end).Round(time.Hour))
		}
	}
	for _, b := range w.running() {
		end, err := certificateEnd(b.disk.path("state", "keys", keys.ClientCertFile))
		if err != nil || time.Until(end) > soon || b.clock.Boot() < 2*time.Hour || !b.clock.right() {
			continue
		}
		s, err := b.status()
		if err == nil && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.HasPrefix(p, "this gateway's certificate") }) {
			w.breach("W5", "the certificate of %s ends in %v, and its status does not say so", b.name, time.Until(end).Round(time.Hour))
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
				w.breach("W5", "%s still says: %s", b.name, p)
			}
		}
	}
}
