package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

// pass: the text that the command prints opens at the enrolled gateway, whose
// keys are in dir, and is kept nowhere at the registry.
func (r *centre) pass(dir string, tenancy wire.ID) {
	t := r.t
	t.Helper()
	keys, err := keys.LoadKeys(dir)
	if keys.Registry == nil {
		t.Fatal(err)
	}
	gateway, err := keyring.Open(keyring.Options{Dir: t.TempDir(), Building: "house-1", Keys: keys, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer gateway.Close()
	text := strings.TrimSuffix(r.ok("pass", tenancy.String(), "--minutes", "2"), "\n")
	p, err := gateway.OpenPass(text)
	if err != nil || p.Tenancy != tenancy || p.Until-p.From != 120 {
		t.Errorf("the gateway reads %+v, %v", p, err)
	}
	var asked operator.Pass
	if !r.json(&asked, "pass", tenancy.String()) || asked.Until.Sub(asked.From).Minutes() != 5 {
		t.Errorf("as JSON: %+v", asked)
	}
	if _, err := gateway.OpenPass(asked.Text); err != nil {
		t.Errorf("the gateway does not take the one in JSON: %v", err)
	}
	r.refused("1 to 15 minutes", "pass", tenancy.String(), "--minutes", "16")
	if out := r.ok("audit"); !strings.Contains(out, "2 min") || strings.Contains(out, qrpass.Prefix) {
		t.Errorf("audit:\n%s", out)
	}
	_ = filepath.Walk(r.dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return nil
		}
		if b, err := os.ReadFile(path); err == nil && (bytes.Contains(b, []byte(text)) || bytes.Contains(b, p.ID[:])) {
			t.Errorf("%s keeps a pass", path)
		}
		return nil
	})
}
