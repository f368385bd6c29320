package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/freeport"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/ceremony"
	"gatehouse/internal/registry/issuer/operator"
)

// runCeremony is set in the process that TestCeremonyKilled starts and kills.
const runCeremony = "GATEHOUSE_RUN_CEREMONY"

// ceremonyArgs are those of a ceremony in a directory, with two directories for sticks.
func ceremonyArgs(t *testing.T, dir string, more ...string) []string {
	args := []string{"ceremony", "make", "--registry", "registry-1", "--dir", dir, "--trial"}
	for n := 1; n <= 2; n++ {
		path := filepath.Join(dir, fmt.Sprint("stick-", n))
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--stick", path)
	}
	return append(args, more...)
}

// TestCeremony: the registry of a ceremony runs, its backup opens with a stick, and from a stick and the backup
// alone it comes back on another machine.
func TestCeremony(t *testing.T) {
	r := &centre{t, shortDir(t)}
	var ports [2]int
	release, err := freeport.Hold(ports[:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	args := ceremonyArgs(t, r.dir, "--host", fmt.Sprintf("127.0.0.1:%d", ports[0]), "--broker", fmt.Sprint(ports[1]))
	var out, errOut bytes.Buffer
	if status := run(t.Context(), args, strings.NewReader("\n\n\n"), &out, &errOut); status != 1 || !strings.Contains(errOut.String(), "nobody answers") {
		t.Fatal(status, errOut.String())
	}
	if status := run(t.Context(), args, strings.NewReader(strings.Repeat("\n", 5)), &out, &errOut); status != 0 || !strings.Contains(out.String(), "A TRIAL") {
		t.Fatal(status, errOut.String())
	}
	sticks := []string{filepath.Join(r.dir, "stick-1"), filepath.Join(r.dir, "stick-2")}
	record := filepath.Join(r.dir, ceremony.FileRecord)
	r.start("serve", "--config", filepath.Join(r.dir, "front", api.FileConfig))
	r.start("issue", "--dir", filepath.Join(r.dir, "issuer"))
	r.until("the issuer meets the front", func() bool {
		var s operator.Status
		return r.json(&s, "issuer") && s.Linked
	})
	r.gateway("gw-1")
	if err := os.Mkdir(filepath.Join(r.dir, "backup"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.ok("backup", "--elsewhere", filepath.Join(r.dir, "backup"))
	newest := newestBackup(t, filepath.Join(r.dir, "backup"))
	said := r.ok("ceremony", "verify", "--stick", sticks[0], "--stick", sticks[1], "--record", record, "--backup", newest, "--out", filepath.Join(r.dir, "look.txt"))
	for _, want := range []string{"stick 2 (" + sticks[1] + "): 7 files can be read, sums as in the record", "both databases are whole", "the escrow key opens the keys of 1 building"} {
		if !strings.Contains(said, want) {
			t.Errorf("verify does not say %q:\n%s", want, said)
		}
	}
	if said := r.ok("ceremony", "verify", "--stick", sticks[1], "--record", filepath.Join(r.dir, "look.txt")); !strings.Contains(said, "stick 1 was not put in") {
		t.Error(said)
	}
	r.refused("is there already", "ceremony", "verify", "--stick", sticks[1], "--record", record, "--out", record)
	r.refused("keys are never overwritten", ceremonyArgs(t, r.dir, "--host", "localhost")...)
	r.refused("keys on one stick are lost with it", "ceremony", "make", "--registry", "r", "--host", "localhost", "--stick", sticks[0])
	r.ok("ceremony", "restore", "--stick", sticks[1], "--dir", filepath.Join(r.dir, "b"))
	r.refused("is there already", "ceremony", "restore", "--stick", sticks[1], "--dir", filepath.Join(r.dir, "b"))
	replaced := r.ok("trust", "new", "--root", filepath.Join(sticks[0], "offline", "root.key"), "--dir", filepath.Join(r.dir, "issuer"), "--front-dir", filepath.Join(r.dir, "front"), "--replace", "issuer")
	if !strings.Contains(replaced, "new      issuer") {
		t.Error(replaced)
	}
	if said := r.ok("ceremony", "verify", "--stick", sticks[0], "--record", record); !strings.Contains(said, "changed since the record, as trust document 2 says") {
		t.Error(said)
	}
	if !strings.Contains(said, "the same stands on the paper") {
		t.Error(said)
	}
	r.noticesLedger(newest, "ceremony", "verify", "--stick", sticks[1], "--record", record, "--backup", newest)
	trusted(t, newest)
	_, stale, _ := r.call("ceremony", "verify", "--stick", sticks[1], "--record", record, "--backup", newest)
	if !strings.Contains(stale, "it has trust document 2, the stick has 1") {
		t.Error(stale)
	}
	if strings.Contains(stale, "on the paper") {
		t.Error(stale)
	}
	if err := os.Truncate(filepath.Join(sticks[0], "offline", "escrow.key"), 10); err != nil {
		t.Fatal(err)
	}
	r.refused("not all is as it should be", "ceremony", "verify", "--stick", sticks[0], "--record", record)
}

// noticesLedger: a command that looks at a backup tells when its ledger of erasures was changed or is gone.
func (r *centre) noticesLedger(backup string, command ...string) {
	r.t.Helper()
	path := filepath.Join(backup, api.FileErasures)
	whole, err := os.ReadFile(path)
	must(r.t, err)
	must(r.t, os.WriteFile(path, append([]byte("{}\n"), whole...), 0o600))
	_, changed, _ := r.call(command...)
	must(r.t, os.Remove(path))
	_, gone, _ := r.call(command...)
	must(r.t, os.WriteFile(path, whole, 0o600))
	for _, said := range []string{changed, gone} {
		if !strings.Contains(said, api.FileErasures) || strings.Contains(said, "databases are whole") {
			r.t.Error(said)
		}
	}
}

// trusted has the front's database of a backup know the second trust document.
func trusted(t *testing.T, backup string) {
	t.Helper()
	path := filepath.Join(backup, api.FileDatabase)
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.Exec(`INSERT INTO trust (version, envelope) VALUES (2, x'00')`)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	made, err2 := os.ReadFile(filepath.Join(backup, "backup.json"))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	var about map[string]any
	if err := json.Unmarshal(made, &about); err != nil {
		t.Fatal(err)
	}
	about["sha256"].(map[string]any)[api.FileDatabase] = fmt.Sprintf("%x", sha256.Sum256(data))
	if made, err = json.Marshal(about); err == nil {
		err = os.WriteFile(filepath.Join(backup, "backup.json"), made, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "reg") // short: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestCeremonyKilled kills the process at each of its five questions, and begins again.
func TestCeremonyKilled(t *testing.T) {
	if os.Getenv(runCeremony) != "" {
		os.Exit(run(t.Context(), strings.Split(os.Getenv(runCeremony), "\n"), os.Stdin, os.Stdout, os.Stderr))
	}
	for step := 1; step <= 5; step++ {
		dir, err := os.MkdirTemp("/dev/shm", "reg") // in memory: each file is synced
		if err != nil {
			dir = shortDir(t)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		args := ceremonyArgs(t, dir, "--host", "localhost")
		killAt(t, args, step)
		for _, name := range []string{"front", "issuer", "stick-1/offline", "stick-2/offline", ceremony.FileRecord} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				t.Errorf("killed at step %d: there is a %s", step, name)
			}
		}
		var errOut bytes.Buffer
		if status := run(t.Context(), args, strings.NewReader(strings.Repeat("\n", 5)), io.Discard, &errOut); status != 0 {
			t.Fatalf("killed at step %d: %s", step, errOut.String())
		}
		for n := 1; n <= 2; n++ {
			if _, err := os.Lstat(filepath.Join(dir, fmt.Sprint("stick-", n), "offline.new")); err == nil {
				t.Errorf("killed at step %d: an unfinished set is left on stick %d", step, n)
			}
		}
	}
}

// killAt runs a ceremony in a process of its own, answers it up to a step, and kills it there.
func killAt(t *testing.T, args []string, step int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCeremonyKilled$")
	cmd.Env = append(os.Environ(), runCeremony+"="+strings.Join(args, "\n"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for r := bufio.NewReader(said); step > 0; step-- {
		for asked := ""; !strings.HasSuffix(asked, "Ctrl-C to end:"); {
			next, err := r.ReadString(':')
			if err != nil {
				t.Fatal(err)
			}
			asked += next
		}
		if step > 1 {
			if _, err := io.WriteString(in, "\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}
