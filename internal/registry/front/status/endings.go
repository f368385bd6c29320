package status

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/front/certificate"
	"gatehouse/internal/registry/front/document"
)

// How long before its end a certificate is reported, which is renewed in a minute, and a CA, whose
// successor must reach all gateways in time.
const (
	warnBefore   = 30 * 24 * time.Hour
	warnBeforeCA = 400 * 24 * time.Hour // the life of a gateway's certificate, and a month
)

// ending is something that expires, with what to do.
type ending struct {
	what  string
	until time.Time
	todo  string
}

// line returns the text about it; "" while there is time.
func (e ending) line(now time.Time, before time.Duration) (text string) {
	at := calendar.Minute(e.until, time.UTC)
	switch left := e.until.Sub(now); {
	case left > before:
		return ""
	case left <= 0:
		return fmt.Sprintf("%s is over since %s: %s", e.what, at, e.todo)
	default:
		return fmt.Sprintf("%s is over at %s, in %s: %s", e.what, at, amount.Of(int(left/(24*time.Hour)), "day"), e.todo)
	}
}

// Endings reports certificates that expire soon. All fields but Broker are needed; they must not
// change. It is safe for concurrent use.
type Endings struct {
	Active *document.Active
	Server *certificate.Certificate
	Broker string // file of the certificate for another broker; "": the front's is used
	Dir    string // the front's directory, from the configuration
	Clock  *agreed.Clock
	Log    zerolog.Logger
}

// Lines returns one line for each. A front that doubts its clock uses the later time: TLS uses the
// machine's.
func (e *Endings) Lines() []string {
	_, last := e.Clock.Span()
	return e.at(last)
}

func (e *Endings) at(now time.Time) (lines []string) {
	add := func(it ending, before time.Duration) {
		if text := it.line(now, before); text != "" {
			lines = append(lines, text)
		}
	}
	ca := e.Active.Load().Trust.LastCA()
	if pair, err := e.Server.Get(nil); err == nil {
		first := ""
		if ca != nil && !pair.Leaf.NotAfter.Before(ca.NotAfter) {
			first = "It ends with its CA, which is replaced first, as is said below. "
		}
		add(ending{"the front's certificate", pair.Leaf.NotAfter, "no gateway with a right clock connects then. " + first + "Run registryd renew-server" + e.dirs() + "; the front takes it by itself"}, warnBefore)
	}
	if ca != nil {
		add(ending{fmt.Sprintf("the CA %q of the trust document", ca.Subject.CommonName), ca.NotAfter,
			"all certificates end with it, and a gateway that hears of no other until then is enrolled anew. Run registryd trust new --replace ca" + e.dirs() +
				" --root FILE, with root.key on its stick, and do what it prints"}, warnBeforeCA)
	}
	if e.Broker != "" {
		if cert, err := leafOf(e.Broker); err == nil {
			add(ending{"the front's certificate for the broker, " + e.Broker, cert.NotAfter, "put the next one there; it is read at each connect"}, warnBefore)
		}
	}
	return lines
}

// dirs returns the flags for the issuer's directory and the front's. The issuer's is where init
// puts it, unless the operator knows better.
func (e *Endings) dirs() string {
	front, err := filepath.Abs(e.Dir)
	if err != nil {
		front = e.Dir
	}
	return fmt.Sprintf(" --dir %s --front-dir %s", filepath.Join(filepath.Dir(front), "issuer"), front)
}

func leafOf(path string) (*x509.Certificate, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s: no certificate", path)
	}
	return x509.ParseCertificate(block.Bytes)
}

// Run logs the lines once a day until ctx ends.
func (e *Endings) Run(ctx context.Context) error {
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		for _, text := range e.Lines() {
			e.Log.Warn().Msg(text)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
