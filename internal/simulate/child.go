package simulate

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
)

// Child lets plans happen in this process, one after another, and then ends it:
// virtual time and repeatable keys are to be had in a test only. Plans come as
// JSON, one a line; outcomes go out the same way, each as soon as it is there.
func Child(plans io.Reader, out io.Writer, dir string) {
	dec, enc := json.NewDecoder(plans), json.NewEncoder(out)
	all := func(t *testing.T) {
		for n := 0; ; n++ {
			var p plan.Plan
			if err := dec.Decode(&p); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				again := bubble
				if p.Twin == 3 {
					again = twins
				}
				o := again(t, p, dir)
				if err := enc.Encode(o); err != nil {
					t.Error(err)
				}
			})
		}
	}
	testing.Init()
	os.Args = os.Args[:1]
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "simulate", F: all}}, nil, nil)
}

// bubble is one run in a bubble of its own, on a directory that is gone afterwards.
func bubble(t *testing.T, p plan.Plan, dir string) (o report.Outcome) {
	ids := p.Seed
	if p.Twin == 2 {
		ids += 1 << 32 // others than in the first run, so that no comparison hangs on which id is the lower
	}
	repeatKeys(t, ids)
	made, err := os.MkdirTemp(dir, "gatehouse-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(made)
	synctest.Test(t, func(t *testing.T) { o = play(p, made) })
	return o
}

// repeatKeys makes keys and ids those of a seed, so that nothing that must not
// decide anything, such as which of two ids is the lower, can.
func repeatKeys(t *testing.T, seed uint64) {
	if testing.Testing() {
		cryptotest.SetGlobalRandom(t, seed)
		return
	}
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	rand.Reader = &source{chacha: mathrand.NewChaCha8(key)}
}

// source is a random source for many goroutines.
type source struct {
	mu     sync.Mutex
	chacha *mathrand.ChaCha8
}

func (s *source) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chacha.Read(b)
}

// Directory is where runs keep their files when nobody names another place: in
// memory where there is such a directory, since a run waits for thousands of syncs.
func Directory() string {
	const memory = "/dev/shm"
	if f, err := os.CreateTemp(memory, "gatehouse-"); err == nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return memory
	}
	return os.TempDir()
}
