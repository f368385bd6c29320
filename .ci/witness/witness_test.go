// Package witness tries registryd as a witness with a public client: a log of the library Tessera, whose checkpoints it
// publishes only once they are cosigned.
package witness

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const origin = "log.example/tessera"

// registry is a front that runs, with what a log has to know of it.
type registry struct {
	submit *url.URL
	client *http.Client
	vkey   string
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start makes a registry that cosigns for a key, and serves it until the test ends.
func start(t *testing.T, key string) registry {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "registryd")
	run := func(name string, args ...string) []byte {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return out
	}
	run("go", "build", "-C", "../..", "-o", program, "./cmd/registryd")
	state := filepath.Join(dir, "state")
	enrol, broker := freePort(t), freePort(t)
	run(program, "init", "--registry", "town", "--host", fmt.Sprintf("localhost:%d", enrol), "--broker", fmt.Sprint(broker), "--dir", state)
	config := filepath.Join(state, "front", "front.toml")
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, fmt.Appendf(text, "[[witness]]\norigin = %q\nkeys = [%q]\n", origin, key), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	front := exec.Command(program, "serve", "--config", config)
	front.Stderr = &log
	if err := front.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = front.Process.Signal(syscall.SIGTERM)
		if err := front.Wait(); err != nil {
			t.Errorf("the front ended with %v: %s", err, &log)
		}
	})
	ca, err := os.ReadFile(filepath.Join(state, "front", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	r := registry{client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}}
	if r.submit, err = url.Parse(fmt.Sprintf("https://localhost:%d/witness", enrol)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command(program, "vkeys", "--front", filepath.Join(state, "front", "front.sock")).Output()
		if m := regexp.MustCompile(`gatehouse/town\+[0-9a-f]{8}\+\S+`).Find(out); err == nil && m != nil {
			r.vkey = string(m)
			return r
		}
		if time.Now().After(end) {
			t.Fatalf("the front tells no key of its witness: %v %s", err, out)
		}
	}
}

// TestPublicClient: a log that publishes nothing without the registry's cosignature publishes what it appends, one
// checkpoint after the other.
func TestPublicClient(t *testing.T) {
	secret, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, vkey)
	w, err := tessera.NewWitness(r.vkey, r.submit)
	if err != nil {
		t.Fatal(err)
	}
	driver, err := posix.New(t.Context(), posix.Config{Path: t.TempDir(), HTTPClient: r.client})
	if err != nil {
		t.Fatal(err)
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(200*time.Millisecond).WithBatching(1, 10*time.Millisecond).
		WithWitnesses(tessera.NewWitnessGroup(1, w), &tessera.WitnessOptions{Timeout: 10 * time.Second})
	log, stop, read, err := tessera.NewAppender(t.Context(), driver, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop(context.Background()) }()
	published := tessera.NewPublicationAwaiter(t.Context(), read.ReadCheckpoint, 50*time.Millisecond)
	witness := note.VerifierList(must(note.NewVerifier(vkey))(t))
	for i := range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		index, checkpoint, err := published.Await(ctx, log.Add(ctx, tessera.NewEntry(fmt.Appendf(nil, "entry %d", i))))
		cancel()
		if err != nil || index.Index != uint64(i) {
			t.Fatalf("entry %d: %+v, %v", i, index, err)
		}
		n, err := note.Open(checkpoint, witness)
		if err != nil || len(n.UnverifiedSigs) != 1 || n.UnverifiedSigs[0].Name != "gatehouse/town" {
			t.Fatalf("entry %d: %v\n%s", i, err, checkpoint)
		}
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
