package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
)

// folder returns the newest backup in a folder.
func newestBackup(t *testing.T, dir string) string {
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
	r.refused("you may write", "backup", "/proc/none")
	if out := r.ok("status"); !strings.Contains(out, "backup     NONE") {
		t.Fatal("a backup that failed counts:", out)
	}
	to := t.TempDir()
	r.ok("backup", to)
	if out := r.ok("status"); strings.Contains(out, "NONE") || !strings.Contains(out, "backup     20") {
		t.Fatal(out)
	}
	folder := newestBackup(t, to)
	text, err := os.ReadFile(filepath.Join(folder, fileBackup))
	if err != nil {
		t.Fatal(err)
	}
	var b backup
	if err := json.Unmarshal(text, &b); err != nil || b.Registry != "registry-1" || len(b.SHA256) != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	for _, name := range []string{"front.db", "issuer.db"} {
		if err := dbfile.Check(t.Context(), filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info.Mode(), err)
		}
		if _, err := os.Lstat(filepath.Join(r.dir, strings.TrimSuffix(name, ".db"), name+".copy")); err == nil {
			t.Error("a copy was left in the folder of", name)
		}
	}
	var s api.Status
	if !r.json(&s, "status") || s.Backup == nil || len(s.Remarks) != 0 {
		t.Fatalf("%+v", s)
	}
}
