package keyring

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// applierEnv says that this process is applier's, and what it does.
const applierEnv = "KEYRING_APPLIER"

// underStrace runs this test's binary again, which does what with a directory, and returns what it said and the
// traced system calls. Their arguments are further ones of strace.
func underStrace(t *testing.T, dir, what string, args ...string) (said string, calls []string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "calls")
	args = append([]string{"-f", "-qq", "-o", log}, args...)
	cmd := exec.Command("strace", append(args, os.Args[0], "-test.run=^TestApplier$", "-test.v")...)
	cmd.Env = append(os.Environ(), applierEnv+"="+what, "KEYRING_DIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out), strings.Split(strings.TrimSpace(string(readFile(t, log))), "\n")
}

func needStrace(t *testing.T) {
	t.Helper()
	if exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace=write", "true").Run() == nil && runtime.GOARCH == "amd64" {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), "strace") {
		t.Fatal("strace is required and not there")
	}
	t.Skip("SKIP (needs strace): this machine does not have it")
}

const everySync = "trace=fsync,fdatasync,sync,syncfs,sync_file_range,msync"

// TestApplier is the process that others look into. It ends without closing anything.
func TestApplier(t *testing.T) {
	dir := os.Getenv("KEYRING_DIR")
	switch what, n, _ := strings.Cut(os.Getenv(applierEnv), " "); what {
	case "":
		return // it is started by others
	case "revoke":
		revokeSome(t, dir, n)
	case "apply":
		runtime.LockOSThread() // strace counts the calls of each thread
		k := openEnrolled(t, dir)
		u := grantlist.Update{Manifest: readFile(t, filepath.Join(dir, "manifest"))}
		for _, path := range glob(t, filepath.Join(dir, "bucket-*")) {
			u.Buckets = append(u.Buckets, readFile(t, path))
		}
		must(t, k.Apply(u))
		fmt.Println("applied")
		if n == "tend" {
			k.tend()
		}
	}
	os.Exit(0)
}

// revokeSome applies that many lists, each with one revocation, and says how long the last took until it was in
// force, and until it was stored.
func revokeSome(t *testing.T, dir, many string) {
	n, err := strconv.Atoi(many)
	must(t, err)
	k := open(t, dir)
	ids := bulk(t, k, 40)
	k.tend()
	for i := range n {
		e := edit(t, k)
		must(t, e.SetState(ids[i], wire.GrantRevoked))
		u := sign(t, e)
		began, force := time.Now(), make(chan time.Duration)
		go func() {
			for ask(k, credential(i)) != wire.ReasonRevoked {
				time.Sleep(100 * time.Microsecond)
			}
			force <- time.Since(began)
		}()
		apply(t, k, u)
		stored := time.Since(began)
		if in := <-force; i == n-1 {
			fmt.Printf("active after %d us, stored after %d us\n", in.Microseconds(), stored.Microseconds())
		}
	}
}

// TestSyncsOfAList: a list with a revocation costs one sync in each copy.
func TestSyncsOfAList(t *testing.T) {
	needStrace(t)
	syncs := func(lists int) int {
		_, calls := underStrace(t, t.TempDir(), fmt.Sprint("revoke ", lists), "-e", everySync)
		return len(slices.DeleteFunc(calls, func(c string) bool { // a call may end in a line of its own, and signals have lines, too
			return strings.Contains(c, "unfinished") || !strings.Contains(c, "sync")
		}))
	}
	few, many := syncs(1), syncs(11)
	if many-few != 2*10 {
		t.Errorf("10 lists cost %d syncs", many-few)
	}
}

// TestActiveBeforeAnySync: however slow the card, a revocation waits for none of its syncs.
func TestActiveBeforeAnySync(t *testing.T) {
	needStrace(t)
	const slow = 200_000 // us
	said, _ := underStrace(t, t.TempDir(), "revoke 1", "-e", everySync, "-e", fmt.Sprintf("inject=fsync,fdatasync:delay_exit=%d", slow))
	var force, stored int
	at := strings.Index(said, "active")
	if _, err := fmt.Sscanf(said[max(at, 0):], "active after %d us, stored after %d us", &force, &stored); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if force > slow/2 || stored < 2*slow || stored > 3*slow {
		t.Errorf("active after %d us, stored after %d us, with %d us a sync", force, stored, slow)
	}
}

// TestKilledAtEveryCall kills a process at each of its system calls that change a file while it opens its
// directory and applies a list: what it said is so, and what the list takes counts entirely or not at all.
func TestKilledAtEveryCall(t *testing.T) {
	needStrace(t)
	k, _ := enrolled(t)
	g := newLog()
	for i := byte(1); i <= 3; i++ {
		g.set(i, int(i))
	}
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	k.tend()
	g.set(1, 1, revoke)
	delete(g.rows, wire.ID{2})
	u := g.issue(t, wire.LogFormat)
	kept := filepath.Dir(k.opts.Dir)
	writeFile(t, filepath.Join(kept, "manifest"), u.Manifest)
	for i, b := range u.Buckets {
		writeFile(t, filepath.Join(kept, fmt.Sprint("bucket-", i)), b)
	}
	sealed := t.TempDir()
	must(t, os.CopyFS(sealed, os.DirFS(kept)))
	must(t, openEnrolled(t, sealed).Close()) // with nothing ahead of the databases
	kills := 0
	for _, from := range []string{kept, sealed} {
		for _, call := range []string{"openat", "write", "pwrite64", "fdatasync", "fsync", "renameat", "unlinkat"} {
			for n, done := 1, false; !done; n++ {
				dir := t.TempDir()
				must(t, os.CopyFS(dir, os.DirFS(from)))
				said, _ := underStrace(t, dir, "apply", "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n))
				done = strings.Contains(said, "applied")
				if !done {
					kills++
				}
				checkKilled(t, g, dir, fmt.Sprintf("%s %d", call, n), done)
			}
		}
	}
	if kills < 40 {
		t.Errorf("only %d kills", kills)
	}
}

// TestFailedSyncAhead: what could not be synced ahead of a copy is read from memory as if it were there, and goes into
// the database all the same.
func TestFailedSyncAhead(t *testing.T) {
	needStrace(t)
	k, g, _ := running(t)
	g.set(2, 2, revoke)
	u := g.issue(t, wire.LogFormat)
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(filepath.Dir(k.opts.Dir))))
	writeFile(t, filepath.Join(dir, "manifest"), u.Manifest)
	for i, b := range u.Buckets {
		writeFile(t, filepath.Join(dir, fmt.Sprint("bucket-", i)), b)
	}
	before := readFile(t, filepath.Join(dir, "grants", "grants-a.db"))
	said, _ := underStrace(t, dir, "apply tend", "-e", "trace=fdatasync", "-P", filepath.Join(dir, "grants", "grants-a.ahead"), "-e", "inject=fdatasync:error=EIO:when=1")
	if !strings.Contains(said, "applied") {
		t.Fatal(said)
	}
	if bytes.Equal(before, readFile(t, filepath.Join(dir, "grants", "grants-a.db"))) {
		t.Error("the database is as it was")
	}
	k = openEnrolled(t, dir)
	want(t, k, credential(2), wire.ReasonRevoked)
	if s := k.Status(); s.Version != 4 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good {
		t.Errorf("%+v", s)
	}
}

func checkKilled(t *testing.T, g *listLog, dir, where string, applied bool) {
	t.Helper()
	k := openEnrolled(t, dir)
	one, two, three := ask(k, credential(1)), ask(k, credential(2)), ask(k, credential(3))
	s := k.Status()
	if len(s.Files.Damage)+len(s.Files.Aside) > 0 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good {
		t.Errorf("%s: %+v", where, s.Files)
	}
	revoked, open := one == wire.ReasonRevoked, one == wire.ReasonGranted
	if three != wire.ReasonGranted || revoked == open || open != (two == wire.ReasonGranted) || applied && (open || s.Version != 2) {
		t.Errorf("%s: applied %v, version %d, doors say %d, %d, %d", where, applied, s.Version, one, two, three)
	}
	must(t, g.give(t, k))
	want(t, k, credential(1), wire.ReasonRevoked)
	if s := restarted(t, k).Status(); s.Version != 2 || s.Over.Grants != 2 {
		t.Errorf("%s: then %+v", where, s)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(pattern)
	must(t, err)
	return all
}
