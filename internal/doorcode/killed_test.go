package doorcode

import (
	"bufio"
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// TestKilled: whatever a process that is killed said of a code, a code that was granted
// before is used after.
func TestKilled(t *testing.T) {
	h := newHouse(t)
	seed := make([]byte, ed25519.SeedSize)
	h.parts.Key = ed25519.NewKeyFromSeed(seed)
	if dir, codes := os.Getenv("ONETIME_DIR"), os.Getenv("ONETIME_CODES"); dir != "" { // the process that is killed
		h.parts.Dir = dir
		h.start()
		for _, c := range strings.Fields(codes) {
			fmt.Println("said", c, h.open("front", c).Reason)
		}
		select {}
	}
	h.start()
	all := h.codes()
	for n := range Each {
		c := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.v")
		c.Env = append(os.Environ(), "ONETIME_DIR="+h.parts.Dir, "ONETIME_CODES="+strings.Join(all, " "))
		out, err := c.StdoutPipe()
		must(t, err)
		must(t, c.Start())
		said := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var code, reason string
			if _, err := fmt.Sscanf(lines.Text(), "said %s %s", &code, &reason); err != nil {
				continue
			}
			want := wire.Reason(wire.ReasonReplayed)
			if said == n {
				want = wire.ReasonGranted
			}
			if reason != want.String() || code != all[said] {
				t.Errorf("after %d kills code %d: %s", n, said, reason)
			}
			if said++; said == n+1 {
				break // in the middle of the next one
			}
		}
		must(t, c.Process.Kill())
		_ = c.Wait()
		if n+1 < Each { // the one that was at work may have got through
			h.start()
			h.mu.Lock()
			used := h.file.Codes[n+1].Used
			h.file.Codes[n+1].Used = false
			must(t, h.write())
			h.mu.Unlock()
			t.Logf("the code at work was used: %t", used)
		}
	}
	h.start()
	for _, c := range all {
		h.wants("front", c, wire.ReasonReplayed)
	}
}
