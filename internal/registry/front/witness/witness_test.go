package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire/checkpoint"
)

const origin = "log.example/one"

// other is somebody else's log.
type other struct {
	t      *testing.T
	origin string
	signer note.Signer
	vkey   string
	hashes []tlog.Hash // in tlog's order
	size   int64
}

func newOther(t *testing.T, origin string) *other {
	t.Helper()
	secret, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &other{t: t, origin: origin, signer: signer, vkey: vkey}
}

func (o *other) ReadHashes(indexes []int64) (out []tlog.Hash, err error) {
	for _, i := range indexes {
		out = append(out, o.hashes[i])
	}
	return out, nil
}

// grow appends so many entries that begin with a word.
func (o *other) grow(n int, word string) *other {
	for range n {
		more, err := tlog.StoredHashes(o.size, fmt.Appendf(nil, "%s %d", word, o.size), o)
		if err != nil {
			o.t.Fatal(err)
		}
		o.hashes, o.size = append(o.hashes, more...), o.size+1
	}
	return o
}

// checkpoint returns the signed checkpoint of a size, with more lines behind it.
func (o *other) checkpoint(size int64, more ...string) string {
	o.t.Helper()
	root, err := tlog.TreeHash(size, o)
	if err != nil {
		o.t.Fatal(err)
	}
	return o.sign(fmt.Sprintf("%s\n%d\n%s\n%s", o.origin, size, base64.StdEncoding.EncodeToString(root[:]), strings.Join(more, "")))
}

func (o *other) sign(text string) string {
	o.t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, o.signer)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(signed)
}

// proof are the lines that lead from one size to another.
func (o *other) proof(old, size int64) (lines string) {
	o.t.Helper()
	if old == 0 || old == size {
		return ""
	}
	proof, err := tlog.ProveTree(size, old, o)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, h := range proof {
		lines += base64.StdEncoding.EncodeToString(h[:]) + "\n"
	}
	return lines
}

func (o *other) request(old, size int64) string {
	return fmt.Sprintf("old %d\n%s\n%s", old, o.proof(old, size), o.checkpoint(size))
}

// bench is a witness with its database.
type bench struct {
	*testing.T
	dir  string
	now  atomic.Int64 // unix s
	key  ed25519.PrivateKey
	logs []Log
	log  bytes.Buffer
	w    *Witness
	shut func()
}

func newBench(t *testing.T, logs ...*other) *bench {
	b := &bench{T: t, dir: t.TempDir(), key: ed25519.NewKeyFromSeed(make([]byte, 32))}
	b.now.Store(1_795_392_000)
	for _, l := range logs {
		b.logs = append(b.logs, Log{l.origin, []string{l.vkey}})
	}
	b.open()
	return b
}

func (b *bench) open() {
	b.Helper()
	s, err := store.Open(b.Context(), filepath.Join(b.dir, "front.db"), zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	b.shut = sync.OnceFunc(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(b.shut)
	clock, err := agreed.Open(filepath.Join(b.dir, "clock.json"), agreed.Only(func() time.Time { return time.Unix(b.now.Load(), 0) }))
	if err != nil {
		b.Fatal(err)
	}
	log := zerolog.New(&b.log)
	b.w, err = New(Options{Logs: b.logs, Registry: "town", Key: b.key, Store: s, Clock: clock, Dir: b.dir, Log: log, Limited: &log})
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) post(body string) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	b.w.ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/witness/add-checkpoint", strings.NewReader(body)))
	return out
}

// answers posts a request, which must be answered like that; of a 409 body is the size.
func (b *bench) answers(what, request string, status int, body string) string {
	b.Helper()
	out := b.post(request)
	if out.Code != status || status == http.StatusConflict && (out.Body.String() != body || out.Header().Get("Content-Type") != "text/x.tlog.size") {
		b.Errorf("%s: %d %q %s, want %d %q", what, out.Code, out.Body, out.Header().Get("Content-Type"), status, body)
	}
	return out.Body.String()
}

// TestAddCheckpoint: a log is cosigned from its first checkpoint on, and a stock verifier accepts that.
func TestAddCheckpoint(t *testing.T) {
	l := newOther(t, origin).grow(40, "entry")
	b := newBench(t, l)
	stock, err := formats.NewVerifierForCosignatureV1(checkpoint.WitnessVKey("gatehouse/town", b.key.Public().(ed25519.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := note.NewVerifier(l.vkey)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range [][2]int64{{0, 0}, {0, 3}, {3, 3}, {3, 4}, {4, 17}, {17, 40}} {
		line := b.answers(fmt.Sprint(step), l.request(step[0], step[1]), http.StatusOK, "")
		n, err := note.Open([]byte(l.checkpoint(step[1])+line), note.VerifierList(logs, stock))
		if err != nil || len(n.Sigs) != 2 {
			t.Fatalf("%v: %v, %q", step, err, line)
		}
		if at, err := formats.CoSigV1Timestamp(n.Sigs[1]); err != nil || at.Unix() != b.now.Load() {
			t.Errorf("%v: cosigned at %v, %v", step, at, err)
		}
		b.now.Add(1)
	}
	b.shut()
	b.open() // it is on disk
	b.answers("after a restart", l.request(0, 40), http.StatusConflict, "40\n")
	b.answers("after a restart", l.request(40, 40), http.StatusOK, "")
	more := l.checkpoint(40, "an extension of the log\n")
	line := b.answers("with an extension", "old 40\n\n"+more, http.StatusOK, "")
	if n, err := note.Open([]byte(more+line), note.VerifierList(logs, stock)); err != nil || len(n.Sigs) != 2 {
		t.Errorf("with an extension: %v", err)
	}
}

// TestAddCheckpointRefuses: each rule of the specification has its status, and nothing is stored then.
func TestAddCheckpointRefuses(t *testing.T) {
	l, strange := newOther(t, origin).grow(40, "entry"), newOther(t, "log.example/two").grow(3, "entry")
	fork := newOther(t, origin).grow(5, "entry").grow(35, "another")
	fork.signer = l.signer
	thief := newOther(t, origin).grow(40, "entry")
	b := newBench(t, l)
	b.answers("first", l.request(0, 10), http.StatusOK, "")
	good := l.request(10, 20)
	lines := strings.SplitAfter(good, "\n")
	for what, c := range map[string]struct {
		request string
		status  int
		body    string
	}{
		"nothing":                  {"", 400, ""},
		"no old size":              {good[strings.Index(good, "\n")+1:], 400, ""},
		"an old size with a zero":  {strings.Replace(good, "old 10", "old 010", 1), 400, ""},
		"an old size with a sign":  {strings.Replace(good, "old 10", "old +10", 1), 400, ""},
		"a negative old size":      {strings.Replace(good, "old 10", "old -10", 1), 400, ""},
		"an old size too large":    {strings.Replace(good, "old 10", "old 18446744073709551615", 1), 400, ""},
		"carriage returns":         {strings.ReplaceAll(good, "\n", "\r\n"), 400, ""},
		"no checkpoint":            {"old 10\n" + l.proof(10, 20) + "\n", 400, ""},
		"a proof of rubbish":       {"old 10\nrubbish\n\n" + l.checkpoint(20), 400, ""},
		"a proof of 64 hashes":     {"old 10\n" + strings.Repeat(lines[1], 64) + "\n" + l.checkpoint(20), 400, ""},
		"a checkpoint of rubbish":  {"old 10\n" + l.proof(10, 20) + "\n" + l.sign(origin+"\nmany\nroot\n"), 400, ""},
		"too long":                 {good + strings.Repeat("x", 1<<17), 400, ""},
		"back":                     {"old 20\n\n" + l.checkpoint(10), 400, ""},
		"another log":              {strange.request(0, 3), 404, ""},
		"another key":              {thief.request(10, 20), 403, ""},
		"no signature":             {strings.Join(lines[:len(lines)-2], ""), 403, ""},
		"another text":             {strings.Replace(good, origin+"\n20\n", origin+"\n21\n", 1), 403, ""},
		"from before":              {l.request(5, 20), 409, "10\n"},
		"from nothing":             {l.request(0, 20), 409, "10\n"},
		"from later":               {l.request(15, 20), 409, "10\n"},
		"another tree of its size": {"old 10\n\n" + fork.checkpoint(10), 409, "10\n"},
		"another history":          {fork.request(10, 20), 422, ""},
		"no proof":                 {"old 10\n\n" + l.checkpoint(20), 422, ""},
		"half a proof":             {strings.Replace(good, lines[1], "", 1), 422, ""},
		"a proof of nothing":       {"old 10\n" + l.proof(10, 20) + "\n" + l.checkpoint(10), 422, ""},
	} {
		before := b.log.Len()
		b.answers(what, c.request, c.status, c.body)
		suspect := what == "another tree of its size" || c.status == 422
		if told := strings.Contains(b.log.String()[before:], "does not follow"); told != suspect {
			t.Errorf("%s: told in the log: %t, want %t", what, told, suspect)
		}
	}
	b.answers("all the same", good, http.StatusOK, "")
}

// TestAddCheckpointAtOnce: of requests that go on from one checkpoint at the same time one is cosigned.
func TestAddCheckpointAtOnce(t *testing.T) {
	l := newOther(t, origin).grow(40, "entry")
	b := newBench(t, l)
	var done sync.WaitGroup
	var cosigned, conflicts atomic.Int64
	for size := range int64(16) {
		request := l.request(0, size+1)
		done.Go(func() {
			switch b.post(request).Code {
			case http.StatusOK:
				cosigned.Add(1)
			case http.StatusConflict:
				conflicts.Add(1)
			}
		})
	}
	done.Wait()
	if cosigned.Load() != 1 || conflicts.Load() != 15 {
		t.Errorf("%d cosigned, %d conflicts", cosigned.Load(), conflicts.Load())
	}
}

// TestAddCheckpointByAGoodClockAlone: a cosignature states a time, which never goes back.
func TestAddCheckpointByAGoodClockAlone(t *testing.T) {
	l := newOther(t, origin).grow(40, "entry")
	b := newBench(t, l)
	b.answers("first", l.request(0, 10), http.StatusOK, "")
	b.now.Add(-1)
	if said := b.answers("a second back", l.request(10, 20), http.StatusServiceUnavailable, ""); !strings.Contains(said, "later") {
		t.Errorf("it says %q", said)
	}
	b.now.Add(1)
	b.answers("right again", l.request(10, 20), http.StatusOK, "")
}

// TestAddCheckpointAfterARestore: who has forgotten what it cosigned may not go on from what it remembers.
func TestAddCheckpointAfterARestore(t *testing.T) {
	l := newOther(t, origin).grow(40, "entry")
	b := newBench(t, l)
	b.answers("first", l.request(0, 10), http.StatusOK, "")
	b.shut()
	path := filepath.Join(b.dir, "front.db")
	copied, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b.open()
	b.answers("second", l.request(10, 20), http.StatusOK, "")
	b.shut()
	if err := os.WriteFile(path, copied, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // also at the next start
		b.open()
		b.answers("put back", l.request(10, 15), http.StatusServiceUnavailable, "")
		b.shut()
	}
	if !strings.Contains(b.log.String(), OffFile) {
		t.Error("the log does not name the file")
	}
	if err := os.Remove(filepath.Join(b.dir, OffFile)); err != nil {
		t.Fatal(err)
	}
	b.open()
	b.answers("let go on", l.request(10, 20), http.StatusOK, "")
}

// TestCheck: what a configuration may not say is told in words.
func TestCheck(t *testing.T) {
	l := newOther(t, origin)
	for says, logs := range map[string][]Log{
		"":                   {{origin, []string{l.vkey}}, {"log.example/two", []string{l.vkey, newOther(t, "two").vkey}}},
		"first line":         {{"", []string{l.vkey}}},
		"it stands":          {{origin, []string{l.vkey}}, {origin, []string{l.vkey}}},
		"at least one":       {{origin, nil}},
		"NAME+ID+KEY":        {{origin, []string{"rubbish"}}},
		"origins of gateway": {{"gatehouse/lane-7/gw1/00000000000000aa", []string{l.vkey}}},
	} {
		err := Check(logs)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
}
