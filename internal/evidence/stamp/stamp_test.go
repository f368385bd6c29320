package stamp

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"gatehouse/internal/evidence/stamp/stamptest"
)

var from = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

var file = sha256.Sum256([]byte("a file"))

func authority(t testing.TB) *stamptest.Authority {
	return stamptest.New(t, from, x509.ExtKeyUsageTimeStamping)
}

// asked is what an authority answers.
func asked(t testing.TB, a *stamptest.Authority) ([]byte, error) {
	t.Helper()
	var answer []byte
	_, _, err := Ask(t.Context(), file, func(_ context.Context, question []byte) ([]byte, error) {
		answer = a.Answer(question)
		return answer, nil
	})
	return answer, err
}

func must(t testing.TB, answer []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestStamp: a token is believed by the certificate of its authority or of whoever certified it, by no other
// one and by none; what it says is the same.
func TestStamp(t *testing.T) {
	a, other := authority(t), authority(t)
	answer, err := asked(t, a)
	must(t, answer, err)
	for name, c := range map[string]struct {
		trusted []*x509.Certificate
		known   bool
	}{"the root": {[]*x509.Certificate{other.Root, a.Root}, true}, "itself": {[]*x509.Certificate{a.Cert}, true}, "another root": {[]*x509.Certificate{other.Root}, false},
		"another of the same name": {[]*x509.Certificate{other.Cert}, false}, "nobody": {nil, false}} {
		s, err := Judge(answer, file, c.trusted)
		if err != nil || s.Known != c.known || !s.Time.Equal(a.Now) || s.Accuracy != time.Second || s.Name != "CN=Test Authority" || !s.Until.Equal(a.Cert.NotAfter) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// TestRefused: what proves nothing is refused, whoever is trusted.
func TestRefused(t *testing.T) {
	whole, _ := asked(t, authority(t))
	for name, c := range map[string]struct {
		change func(*stamptest.Authority)
		want   error
	}{
		"another file": {func(a *stamptest.Authority) {
			a.Change = func(s *timestamp.Timestamp) { s.HashedMessage = make([]byte, 32) }
		}, ErrOther},
		"another sum": {func(a *stamptest.Authority) {
			a.Change = func(s *timestamp.Timestamp) { s.HashAlgorithm, s.HashedMessage = crypto.SHA512, make([]byte, 64) }
		}, ErrOther},
		"another nonce": {func(a *stamptest.Authority) {
			a.Change = func(s *timestamp.Timestamp) { s.Nonce = new(big.Int).Add(s.Nonce, big.NewInt(1)) }
		}, ErrNonce},
		"no nonce":               {func(a *stamptest.Authority) { a.Change = func(s *timestamp.Timestamp) { s.Nonce = nil } }, ErrNonce},
		"no certificate in it":   {func(a *stamptest.Authority) { a.Change = func(s *timestamp.Timestamp) { s.AddTSACertificate = false } }, ErrSignature},
		"before the certificate": {func(a *stamptest.Authority) { a.Now = from.Add(-time.Second) }, ErrExpired},
		"after it":               {func(a *stamptest.Authority) { a.Now = from.AddDate(1, 0, 0).Add(time.Second) }, ErrExpired},
		"another key":            {func(a *stamptest.Authority) { a.Key = authority(t).Key }, ErrSignature},
		"a server's certificate": {func(a *stamptest.Authority) { *a = *stamptest.New(t, from, x509.ExtKeyUsageServerAuth) }, ErrPurpose},
		"a certificate for many things": {func(a *stamptest.Authority) {
			*a = *stamptest.New(t, from, x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageServerAuth)
		}, ErrPurpose},
	} {
		a := authority(t)
		c.change(a)
		answer, err := asked(t, a)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: asked: %v, want %v", name, err, c.want)
		}
		s, err := Judge(answer, file, []*x509.Certificate{a.Root})
		if c.want != ErrNonce && (!errors.Is(err, c.want) || s != (Stamp{})) { // whoever judges later has asked nothing
			t.Errorf("%s: judged: %+v, %v, want %v", name, s, err, c.want)
		}
	}
	refusal, err := timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.TimeNotAvailable)
	for name, b := range map[string][]byte{"nothing": nil, "a page": []byte("<html>"), "longer": append(slices.Clone(whole), 0), "a refusal": must(t, refusal, err), "far too long": make([]byte, MaxSize+1)} {
		if s, err := Judge(b, file, nil); !errors.Is(err, ErrNoStamp) || s != (Stamp{}) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	for n := range whole {
		if s, err := Judge(whole[:n], file, nil); err == nil || s != (Stamp{}) {
			t.Errorf("cut to %d bytes: %+v", n, s)
		}
	}
}

// TestRootExpired: an authority whose certifier's own certificate was over is not believed.
func TestRootExpired(t *testing.T) {
	a := authority(t)
	answer, err := asked(t, a)
	must(t, answer, err)
	over := *a.Root
	over.NotAfter = a.Now.Add(-time.Hour)
	if s, err := Judge(answer, file, []*x509.Certificate{&over}); !errors.Is(err, ErrExpired) {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestFlips: a changed byte of an answer is refused, makes its authority unknown, or changes nothing of what
// is said: it stood where no signature is over.
func TestFlips(t *testing.T) {
	a := authority(t)
	answer, err := asked(t, a)
	must(t, answer, err)
	want, err := Judge(answer, file, []*x509.Certificate{a.Root})
	if err != nil || !want.Known {
		t.Fatal(err)
	}
	same := 0
	for i := range answer {
		for bit := range 8 {
			changed := slices.Clone(answer)
			changed[i] ^= 1 << bit
			s, err := Judge(changed, file, []*x509.Certificate{a.Root})
			switch {
			case err == nil && s == want:
				same++
			case err == nil && s.Known:
				t.Errorf("byte %d, bit %d changed: %+v", i, bit, s)
			}
		}
	}
	if same > len(answer)/10*8 {
		t.Errorf("%d of %d bits count for nothing", same, len(answer)*8)
	}
}

// FuzzJudge: whatever is taken for an answer, nothing falls, and nobody is believed whom nobody named.
func FuzzJudge(f *testing.F) {
	a := authority(f)
	answer, err := asked(f, a)
	f.Add(must(f, answer, err))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := Judge(b, file, nil); err == nil && s.Known || err != nil && s != (Stamp{}) {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// TestOpenSSL: what everybody has takes our answers, and we take its.
func TestOpenSSL(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), "openssl") {
			t.Fatal("openssl is required: ", err)
		}
		t.Skip("without openssl nobody else's time stamps were tried")
	}
	a := authority(t)
	a.Now = time.Now().Add(-time.Minute).Truncate(time.Second).UTC() // openssl judges by its own clock
	*a = *stamptest.New(t, a.Now.Add(-24*time.Hour), x509.ExtKeyUsageTimeStamping)
	answer, err := asked(t, a)
	must(t, answer, err)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	run := func(args ...string) string {
		cmd := exec.Command(path, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	root := write("root.pem", stamptest.PEM(a.Root))
	if out := run("ts", "-verify", "-in", write("file.tsr", answer), "-data", write("file", []byte("a file")), "-CAfile", root); !strings.Contains(out, "Verification: OK") {
		t.Error(out)
	}
	key, err := x509.MarshalPKCS8PrivateKey(a.Key)
	must(t, key, err)
	write("serial", []byte("01\n"))
	config := write("tsa.cnf", []byte("[tsa]\ndefault_tsa = t\n[t]\nserial = serial\ndefault_policy = 1.2.3\ndigests = sha256\nsigner_digest = sha256\naccuracy = secs:2\ness_cert_id_alg = sha256\n"))
	write("tsa.der", key)
	run("pkcs8", "-inform", "DER", "-nocrypt", "-in", "tsa.der", "-out", "tsa.key")
	answer, s, err := Ask(t.Context(), file, func(_ context.Context, question []byte) ([]byte, error) {
		run("ts", "-reply", "-config", config, "-queryfile", write("q.tsq", question), "-signer", write("tsa.pem", stamptest.PEM(a.Cert)), "-inkey", "tsa.key", "-out", "r.tsr")
		return os.ReadFile(filepath.Join(dir, "r.tsr"))
	})
	if err != nil || time.Since(s.Time) > time.Minute || s.Accuracy != 2*time.Second {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err := Judge(answer, file, []*x509.Certificate{a.Root}); err != nil || !s.Known {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := Judge(answer, sha256.Sum256([]byte("another")), []*x509.Certificate{a.Root}); !errors.Is(err, ErrOther) || s != (Stamp{}) {
		t.Errorf("of another file: %+v, %v", s, err)
	}
}
