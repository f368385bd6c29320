package desk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/desk/tenancy"
)

// arriverEnv says that this process is the one that TestSyncs counts, and what it does.
const arriverEnv = "DESK_ARRIVER"

// TestArriver is that process: a desk at which some tenants arrive and leave.
func TestArriver(t *testing.T) {
	what, many, _ := strings.Cut(os.Getenv(arriverEnv), " ")
	if what == "" {
		return // TestSyncs starts it
	}
	n, err := strconv.Atoi(many)
	must(t, err)
	o := newOffice(t, newTown(t), "gw1")
	for i := range uint64(12) {
		if what == "arrive" && int(i) == n {
			break
		}
		_, err := o.arrive(em(i+1), func(a *tenancy.Arrival) { a.PIN = "" })
		must(t, err)
	}
	for i := range uint64(n) {
		if what == "leave" {
			done, err := o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "agreed"}, cards(em(i+1)), nil)
			must(t, err)
			if len(done.Remarks) > 0 {
				t.Error(done.Remarks)
			}
		}
	}
	os.Exit(0)
}

// TestSyncs: a check-in and a check-out cost one sync of the keyring and one of the desk's, and that of the journal,
// which is in memory here.
func TestSyncs(t *testing.T) {
	if exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace=write", "true").Run() != nil {
		if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), "strace") {
			t.Fatal("strace is required and not there")
		}
		t.Skip("SKIP (needs strace): this machine does not have it")
	}
	for _, what := range []string{"arrive", "leave"} {
		if few, many := syncs(t, what, 1), syncs(t, what, 11); many-few != 2*10 {
			t.Errorf("%s: 10 cost %d syncs", what, many-few)
		}
	}
}

func syncs(t *testing.T, what string, n int) (count int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "calls")
	cmd := exec.Command("strace", "-f", "-qq", "-o", log, "-e", "trace=fsync,fdatasync,sync,syncfs,sync_file_range,msync", os.Args[0], "-test.run=^TestArriver$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", arriverEnv, what, n))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	calls, err := os.ReadFile(log)
	must(t, err)
	for line := range strings.Lines(string(calls)) { // a call may end in a line of its own, and signals have lines, too
		if strings.Contains(line, "sync") && !strings.Contains(line, "unfinished") {
			count++
		}
	}
	return count
}
