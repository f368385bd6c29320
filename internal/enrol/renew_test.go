package enrol

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/keys"
)

func yes() bool { return true }

func no() bool { return false }

func TestRenew(t *testing.T) {
	i := newIssuer(t)
	dir := t.TempDir()
	_, err := Enrol(t.Context(), i.options(dir))
	fatal(t, err)
	path := filepath.Join(dir, keys.ClientCertFile)
	before, err := os.ReadFile(path)
	fatal(t, err)
	r := NewRenewer(RenewerOptions{Dir: dir, Now: time.Now, Trusted: yes})
	fatal(t, r.Renew(t.Context()))
	after, err := os.ReadFile(path)
	fatal(t, err)
	if string(before) == string(after) {
		t.Error("the same certificate")
	}
	if _, err := tls.LoadX509KeyPair(path, filepath.Join(dir, keys.ClientKeyFile)); err != nil {
		t.Errorf("certificate and key: %v", err)
	}
	for name, change := range map[string]func(*issuer){
		"older trust":      func(i *issuer) { i.trust.Version = 2 },
		"another's key":    func(i *issuer) { key := mustKey(t); i.certify = func() *ecdsa.PublicKey { return &key.PublicKey } },
		"out of the house": func(i *issuer) { i.expel = true },
	} {
		t.Run(name, func(t *testing.T) {
			bad := newIssuer(t)
			dir := t.TempDir()
			_, err := Enrol(t.Context(), bad.options(dir))
			fatal(t, err)
			before := readAll(t, dir)
			change(bad)
			if err := NewRenewer(RenewerOptions{Dir: dir, Now: time.Now, Trusted: yes}).Renew(t.Context()); err == nil {
				t.Error("renewed")
			}
			if !mapsEqual(before, readAll(t, dir)) {
				t.Error("a refused renewal changed files")
			}
		})
	}
}

// TestRenewTimes: at two thirds of its life, again and again while the registry
// is away, at once when asked, and not in a rush where the clock is far ahead.
func TestRenewTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &registryTimes{start: time.Now(), due: time.Now().Add(240 * 24 * time.Hour), fail: 5}
		r := NewRenewer(RenewerOptions{Dir: "", Now: time.Now, Trusted: yes})
		r.due, r.renew = w.readDue, w.renew
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()

		if at := w.after(239 * 24 * time.Hour); len(at) != 0 {
			t.Fatalf("too early: %v", at)
		}
		at := w.after(2 * 24 * time.Hour)
		if len(at) != 6 || at[5]-at[0] > 3*time.Hour {
			t.Errorf("tries %v", at)
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap < firstRetry/2 || gap > lookEvery {
				t.Errorf("a pause of %v", gap)
			}
		}
		r.Soon()
		if at := w.after(0); len(at) != 1 {
			t.Errorf("not at once when asked: %v", at)
		}
		w.mu.Lock()
		w.late = true // the clock is beyond every certificate's life
		w.mu.Unlock()
		if at := w.after(24 * time.Hour); len(at) == 0 || len(at) > 25 {
			t.Errorf("asked %d times in a day", len(at))
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestRefusedCertificate: the broker's refusals make a renewal at once, then one
// a minute while that fails, and ever less often where another certificate does
// not help. The link is woken by each success, and what went wrong is known.
func TestRefusedCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &registryTimes{start: time.Now(), due: time.Now().Add(240 * 24 * time.Hour), fail: 3}
		woken := 0
		r := NewRenewer(RenewerOptions{Dir: "", Now: time.Now, Trusted: no, Renewed: func() { woken++ }})
		r.due, r.renew = w.readDue, w.renew
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(time.Hour)
		refusals := func(d time.Duration) (at []time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(7 * time.Second) {
				r.Soon()
				synctest.Wait()
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			at, w.at = w.at, nil
			return at
		}
		began := time.Since(w.start)
		at := refusals(150 * time.Second)
		if len(at) < 3 || at[0] != began || at[1]-at[0] > 70*time.Second || woken != 0 {
			t.Errorf("tries at %v after %v, woken %d times", at, began, woken)
		}
		if err := r.Err(); err == nil {
			t.Error("nothing is known of the failures")
		}
		if at := refusals(70 * time.Second); len(at) > 2 || len(at) == 2 && at[1]-at[0] < soonEvery || woken == 0 || woken > 2 || r.Err() != nil {
			t.Errorf("then tries at %v, woken %d times, %v", at, woken, r.Err())
		}
		if at := refusals(12 * time.Hour); len(at) < 12 || len(at) > 20 {
			t.Errorf("a broker that refuses all of them: %d tries in 12 hours", len(at))
		}
		time.Sleep(3 * time.Hour)
		if at := refusals(100 * time.Second); len(at) != 2 {
			t.Errorf("after a quiet time, it is asked anew: %v", at)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// registryTimes notes when it was asked.
type registryTimes struct {
	start time.Time

	mu   sync.Mutex
	at   []time.Duration
	due  time.Time
	fail int
	late bool
}

func (w *registryTimes) readDue() (time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late {
		return w.start, nil
	}
	return w.due, nil
}

func (w *registryTimes) renew(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = append(w.at, time.Since(w.start))
	if w.fail > 0 {
		w.fail--
		return errors.New("away")
	}
	w.due = time.Now().Add(240 * 24 * time.Hour)
	return nil
}

// after returns when it was asked in the time that now goes by.
func (w *registryTimes) after(d time.Duration) []time.Duration {
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.at
	w.at = nil
	return at
}

func TestRenewDue(t *testing.T) {
	i := newIssuer(t)
	dir := t.TempDir()
	_, err := Enrol(t.Context(), i.options(dir))
	fatal(t, err)
	r := NewRenewer(RenewerOptions{Dir: dir, Now: time.Now, Trusted: yes})
	due, err := r.readDue()
	fatal(t, err)
	year := 365 * 24 * time.Hour
	if in := time.Until(due); in < year*64/100 || in > year*71/100 {
		t.Errorf("due in %v", in)
	}
	fatal(t, os.Remove(filepath.Join(dir, keys.ClientCertFile)))
	if wait := r.untilDue(); wait != firstRetry {
		t.Errorf("a lost certificate waits %v", wait)
	}
	fatal(t, r.Renew(t.Context()))
}

// TestTLSConfig: the broker is judged by the CA of the trust document, its name
// always, its time only by a clock that is trusted.
func TestTLSConfig(t *testing.T) {
	i := newIssuer(t)
	dir := t.TempDir()
	_, err := Enrol(t.Context(), i.options(dir))
	fatal(t, err)
	other := newIssuer(t)
	early := newIssuer(t, func(e *issuer) {
		e.ca, e.caKey, e.notBefore = i.ca, i.caKey, time.Now().AddDate(0, 1, 0)
	})
	for _, c := range []struct {
		name    string
		server  *issuer
		trusted func() bool
		good    bool
	}{
		{"ours", i, yes, true}, {"ours, no clock", i, no, true},
		{"another CA", other, yes, false}, {"another CA, no clock", other, no, false},
		{"not yet valid", early, yes, false}, {"not yet valid, no clock", early, no, true},
	} {
		config, err := Broker{Dir: dir, Now: time.Now, Trusted: c.trusted}.TLS(hostOf(t, dir))
		fatal(t, err)
		if config.MinVersion != tls.VersionTLS13 || len(config.Certificates) != 1 {
			t.Errorf("%s: version %x, %d certificates", c.name, config.MinVersion, len(config.Certificates))
		}
		if err := dial(c.server, config); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	fatal(t, os.Remove(filepath.Join(dir, keys.TrustFile)))
	config, err := Broker{Dir: dir, Now: time.Now, Trusted: yes}.TLS(hostOf(t, dir))
	fatal(t, err)
	if err := dial(i, config); err != nil {
		t.Errorf("with ca.pem alone: %v", err)
	}
	if err := dial(other, config); err == nil {
		t.Error("with ca.pem alone: any CA will do")
	}
	if _, err := (Broker{Dir: t.TempDir(), Now: time.Now, Trusted: yes}).TLS("localhost"); err == nil {
		t.Error("a standalone house has a broker")
	}
}

// hostOf is the host of the broker that a directory of keys names.
func hostOf(t *testing.T, dir string) string {
	t.Helper()
	r, err := keys.LoadRegistry(dir)
	if r == nil {
		t.Fatal(err)
	}
	host, _, err := net.SplitHostPort(r.Broker)
	fatal(t, err)
	return host
}

func dial(i *issuer, config *tls.Config) error {
	conn, err := net.Dial("tcp", i.server.Listener.Addr().String())
	if err != nil {
		return err
	}
	defer conn.Close()
	return tls.Client(conn, config).Handshake()
}
