package front

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/front/witness"
	"gatehouse/sync/wire"
)

// TestWitnessOfOtherLogs: a log that the configuration names is cosigned over HTTPS by the key that vkeys tells, so
// many times a minute; a front whose configuration names none has no such path.
func TestWitnessOfOtherLogs(t *testing.T) {
	const origin = "log.example/one"
	secret, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	root := tlog.RecordHash([]byte("its only entry"))
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n1\n%s\n", origin, base64.StdEncoding.EncodeToString(root[:]))}, signer)
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t)
	const path = "/witness/add-checkpoint"
	if status, body, _ := s.https(path, append([]byte("old 0\n\n"), signed...)); status != http.StatusNotFound {
		t.Errorf("without a log of others: %d %s", status, body)
	}
	s.front.stop()
	c := s.config()
	c.Witness, c.WitnessPerMinute = []witness.Log{{Origin: origin, Keys: []string{vkey}}}, 2
	_, link := newMemory()
	s.front = s.start(Options{Config: c, Link: link})
	status, line, _ := s.https(path, append([]byte("old 0\n\n"), signed...))
	keys, err := s.front.client.VKeys(t.Context(), "")
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %s, %v", status, line, err)
	}
	stock, err := formats.NewVerifierForCosignatureV1(keys.Witnesses[0])
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open([]byte(string(signed)+line), note.VerifierList(stock)); err != nil || len(n.Sigs) != 1 {
		t.Errorf("a stock verifier says %v of %q", err, line)
	}
	if status, body, header := s.https(path, append([]byte("old 0\n\n"), signed...)); status != http.StatusConflict || body != "1\n" || header.Get("Content-Type") != "text/x.tlog.size" {
		t.Errorf("once more: %d %q %v", status, body, header)
	}
	if status, body, _ := s.https(path, append([]byte("old 1\n\n"), signed...)); status != http.StatusTooManyRequests {
		t.Errorf("the third in a minute: %d %s", status, body)
	}
	if status, body, _ := s.https("/v1/enrol", s.envelope(wire.TypeEnrol, wire.RoleIssuer, 0, "b1/g2", nil, newKey(t))); status == http.StatusTooManyRequests {
		t.Errorf("gateways are refused for the log's requests: %s", body)
	}
}

// TestWitnessConfiguration: what front.toml says of logs of others is read, and what it may not say is refused.
func TestWitnessConfiguration(t *testing.T) {
	_, vkey, err := note.GenerateKey(rand.Reader, "log.example/one")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "front.toml")
	for text, says := range map[string]string{
		"witness_per_minute = 5\n[[witness]]\norigin = 'log.example/one'\nkeys = ['" + vkey + "']\n": "",
		"[[witness]]\norigin = 'gatehouse/b1/g1/0000000000000007'\nkeys = ['" + vkey + "']\n":        "origins of gateways",
		"[[witness]]\norigin = 'log.example/one'\n":                                                  "want at least one",
		"[[witness]]\norigin = 'log.example/one'\nkey = '" + vkey + "'\n":                            "key",
		"witness_per_minute = -1\n": "want at least 1",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := LoadConfig(path)
		if says == "" {
			if err != nil || len(c.Witness) != 1 || c.Witness[0].Keys[0] != vkey || c.WitnessPerMinute != 5 {
				t.Errorf("%+v, %v", c, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}
