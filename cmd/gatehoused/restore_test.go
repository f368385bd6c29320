package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/backup/keeper"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
)

// TestRestoreBackup: a backup and the code on the first line of the input make this machine
// its gateway; a second time it is one already, with what to do.
func TestRestoreBackup(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := site.Parse(fmt.Appendf(nil, "state = \"%[1]s/state\"\nsocket = \"%[1]s/sock\"\n%s", dir, oneDoor))
	must(err)
	public, _, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	building, err := keys.GenerateBuildingKey(1)
	must(err)
	_, err = keys.Install(s.Path("keys"), public, building)
	must(err)
	loaded, err := keys.LoadKeys(s.Path("keys"))
	must(err)
	ring, err := keyring.Open(keyring.Options{Dir: s.Path("grants"), Building: s.Building, Keys: loaded, Log: zerolog.Nop()})
	must(err)
	k := keeper.New(keeper.Options{Site: s, Keyring: ring, Now: time.Now, Log: zerolog.Nop()})
	code, err := k.NewCode(false)
	must(err)
	name, data, err := k.Take()
	must(err)
	must(ring.Close())
	must(os.RemoveAll(s.State))
	file, config := filepath.Join(dir, name), filepath.Join(dir, "etc", "site.toml")
	must(os.WriteFile(file, data, 0o600))

	var out bytes.Buffer
	restoreBackup := func(in string, asJSON bool) error {
		return restoring{files: []string{file}, config: config, asJSON: asJSON, stdin: strings.NewReader(in), stdout: &out}.run(t.Context())
	}
	if err := restoreBackup(recovery.New().String()+"\n", true); err == nil || !strings.Contains(err.Error(), "does not open") {
		t.Errorf("another code: %v", err)
	}
	must(restoreBackup(code.String()+"\n", true))
	var r restore.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Building != s.Building || r.Config != config {
		t.Errorf("%s: %v", &out, err)
	}
	if _, err := site.Load(config); err != nil {
		t.Error(err)
	}
	if err := restoreBackup(code.String(), false); err == nil || !strings.Contains(err.Error(), "gateway already") || !strings.Contains(err.Error(), "\n  nothing is lost") {
		t.Errorf("a second time: %v", err)
	}
}
