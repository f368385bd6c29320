package front

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/api"
)

// certificate is a key and its certificate, read again when one of the files is
// another one. Safe for concurrent use.
type certificate struct {
	files [2]string // certificate, key
	log   *zerolog.Logger

	mu    sync.Mutex
	found [2]os.FileInfo // of what was read last, good or not
	pair  *tls.Certificate
}

func loadCertificate(cert, key string, log *zerolog.Logger) (*certificate, error) {
	c := &certificate{files: [2]string{cert, key}, log: log}
	found, err := c.stat()
	if err == nil {
		err = c.read(found)
	}
	if err != nil {
		return nil, fmt.Errorf("load server certificate: %w", err)
	}
	return c, nil
}

func (c *certificate) stat() (found [2]os.FileInfo, err error) {
	for i, path := range c.files {
		if found[i], err = os.Stat(path); err != nil {
			return found, err
		}
	}
	return found, nil
}

// read takes the files. c.mu is held, or nobody else has c yet.
func (c *certificate) read(found [2]os.FileInfo) error {
	c.found = found
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return err
	}
	c.pair = &pair
	return nil
}

// get returns what the files hold now, and what they held before where they
// can't be used. It is tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, err := c.stat()
	if err == nil && !same(found, c.found) {
		if err = c.read(found); err == nil {
			c.log.Info().Str("file", c.files[0]).Time("until", c.pair.Leaf.NotAfter).Msg("a new certificate is in use")
		}
	}
	if err != nil {
		c.log.Error().Err(err).Str("file", c.files[0]).Msg("the certificate can't be read again; the one before is in use")
	}
	return c.pair, nil
}

func same(a, b [2]os.FileInfo) bool {
	for i := range a {
		if !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}

// Before what ends somebody is told: a certificate that is made anew in a
// minute, and a CA, which gateways must have heard of in time.
const (
	warnBefore   = 30 * 24 * time.Hour
	warnBeforeCA = 400 * 24 * time.Hour // the life of a gateway's certificate, and a month
)

// ending is something that ends by itself, with what to do.
type ending struct {
	what  string
	until time.Time
	todo  string
}

// line says it, or nothing while there is time.
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

// endings are what ends within the time in which somebody should act. A front
// that doubts its clock takes the later time: TLS goes by the machine's.
func (f *Front) endings() []string {
	_, last := f.clock.Span()
	return f.endingsAt(last)
}

func (f *Front) endingsAt(now time.Time) (lines []string) {
	add := func(e ending, before time.Duration) {
		if text := e.line(now, before); text != "" {
			lines = append(lines, text)
		}
	}
	ca := f.authority.Load().trust.LastCA()
	if pair, err := f.keys.server.get(nil); err == nil {
		first := ""
		if ca != nil && !pair.Leaf.NotAfter.Before(ca.NotAfter) {
			first = "It ends with its CA, which is replaced first, as is said below. "
		}
		add(ending{"the front's certificate", pair.Leaf.NotAfter, "no gateway with a right clock connects then. " + first + "Run " + f.renewCommand() + "; the front takes it by itself"}, warnBefore)
	}
	if ca != nil {
		add(ending{fmt.Sprintf("the CA %q of the trust document", ca.Subject.CommonName), ca.NotAfter,
			"all certificates end with it, and a gateway that hears of no other until then is enrolled anew. Run registryd trust new --replace ca" + f.folders() +
				" --root FILE, with root.key on its stick, and do what it prints"}, warnBeforeCA)
	}
	if own := f.o.Config.BrokerCertificate; f.o.Config.Broker != Embedded && own != f.o.Config.path(api.FileServerCert) {
		if cert, err := leafOf(own); err == nil {
			add(ending{"the front's certificate for the broker, " + own, cert.NotAfter, "put the next one there; it is read at each connect"}, warnBefore)
		}
	}
	return lines
}

// renewCommand is the command that makes the front's next certificate. The
// issuer's folder is where init has put it, or the operator knows where it is.
func (f *Front) renewCommand() string { return "registryd renew-server" + f.folders() }

func (f *Front) folders() string {
	front, err := filepath.Abs(f.o.Config.State)
	if err != nil {
		front = f.o.Config.State
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

// endingsLoop says once a day in the log what ends soon, until ctx ends.
func (f *Front) endingsLoop(ctx context.Context) error {
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		for _, text := range f.endings() {
			f.o.Log.Warn().Msg(text)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
