package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/disk"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
)

// newestBackup returns the newest backup in a directory.
func newestBackup(t testing.TB, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil || len(all) == 0 {
		t.Fatal("no backup", err)
	}
	return filepath.Join(dir, all[len(all)-1].Name())
}

// TestBackup: both copies are whole, and only then the front says that anything is
// safe.
func TestBackup(t *testing.T) {
	r := newCentre(t)
	r.gateway("gw-1")
	if out := r.ok("status"); !strings.Contains(out, "backup     NONE") {
		t.Fatal(out)
	}
	none := filepath.Join(r.dir, "none")
	r.refused("you may write", "backup", none)
	r.refused("is no directory", "backup", filepath.Join(r.dir, "front", api.FileConfig))
	r.refused("same disk as "+filepath.Join(r.dir, "front")+": both would be lost", "backup", t.TempDir())
	if _, err := os.Lstat(none); err == nil {
		t.Error("a disk that is not in was made")
	}
	if out := r.ok("status"); !strings.Contains(out, "backup     NONE") {
		t.Fatal("a backup that failed counts:", out)
	}
	to := t.TempDir()
	r.ok("backup", "--elsewhere", to)
	if out := r.ok("status"); strings.Contains(out, "NONE") || !strings.Contains(out, "backup     20") {
		t.Fatal(out)
	}
	directory := newestBackup(t, to)
	text, err := os.ReadFile(filepath.Join(directory, fileBackup))
	if err != nil {
		t.Fatal(err)
	}
	var b backup
	if err := json.Unmarshal(text, &b); err != nil || b.Registry != "registry-1" || len(b.SHA256) != 4 {
		t.Fatalf("%+v, %v", b, err)
	}
	for _, name := range []string{"front.db", "issuer.db"} {
		if err := dbfile.Check(t.Context(), filepath.Join(directory, name)); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(filepath.Join(directory, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info.Mode(), err)
		}
		if _, err := os.Lstat(filepath.Join(r.dir, strings.TrimSuffix(name, ".db"), name+".copy")); err == nil {
			t.Error("a copy was left in the directory of", name)
		}
	}
	var s api.Status
	if !r.json(&s, "status") || s.Backup == nil || len(s.Remarks) != 0 {
		t.Fatalf("%+v", s)
	}
}

// TestBackupOnAnotherDisk: it counts by itself.
func TestBackupOnAnotherDisk(t *testing.T) {
	r := newCentre(t)
	to, err := os.MkdirTemp("/dev/shm", "gatehouse-")
	if err != nil {
		t.Skip("SKIP (needs /dev/shm): ", err)
	}
	t.Cleanup(func() { os.RemoveAll(to) })
	if shared, err := disk.Shared(to, r.dir); err != nil || shared != "" {
		t.Skip("SKIP (needs /dev/shm): it is no other disk than that of temporary files ", err)
	}
	r.ok("backup", to)
	if out := r.ok("status"); strings.Contains(out, "NONE") {
		t.Error(out)
	}
}

// TestDamagedDatabase: front and issuer do not start on a file that is damaged, or that is
// the other one's, and say where the procedure stands. With none they start.
func TestDamagedDatabase(t *testing.T) {
	r := emptyCentre(t)
	path := map[string]string{"issuer.db": filepath.Join(r.dir, "issuer", "issuer.db"), "front.db": filepath.Join(r.dir, "front", "front.db")}
	command := map[string][]string{"issuer.db": {"issue", "--dir", filepath.Join(r.dir, "issuer")}, "front.db": {"serve", "--config", filepath.Join(r.dir, "front", "front.toml")}}
	socket := map[string]string{"issuer.db": filepath.Join(r.dir, "issuer", "issuer.sock"), "front.db": filepath.Join(r.dir, "front", api.FileSocket)}
	whole := make(map[string][]byte)
	for name, args := range command {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan int)
		go func() { ended <- run(ctx, r.args(args), strings.NewReader(""), io.Discard, io.Discard) }()
		r.until("it serves", func() bool { _, err := os.Stat(socket[name]); return err == nil })
		stop()
		if status := <-ended; status != 0 {
			t.Fatal(args[0], status)
		}
		b, err := os.ReadFile(path[name])
		if err != nil {
			t.Fatal(err)
		}
		whole[name] = b
	}
	other := map[string]string{"issuer.db": "front.db", "front.db": "issuer.db"}
	for name, args := range command {
		schema := bytes.Clone(whole[name])
		clear(schema[100:1000])
		for what, b := range map[string][]byte{"text": []byte("no database\n"), "garbled": schema, "the other's": whole[other[name]]} {
			if err := os.WriteFile(path[name], b, 0o600); err != nil {
				t.Fatal(err)
			}
			status, _, errOut := r.call(args...)
			if status == 0 || !strings.Contains(errOut, "docs/restore.md, "+name+" is lost") {
				t.Errorf("%s on %s: %d %s", args[0], what, status, errOut)
			}
		}
	}
}
