package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// TestAddress: what is added is listed first, and can be taken out; what can be
// no address is refused with what one looks like.
func TestAddress(t *testing.T) {
	dir := t.TempDir()
	site := filepath.Join(dir, "site.toml")
	must(t, os.WriteFile(site, fmt.Appendf(nil, siteText, dir), 0o600))
	call := func(want string, status int, args ...string) {
		t.Helper()
		var out, errOut bytes.Buffer
		got := run(t.Context(), append([]string{"address"}, args...), strings.NewReader(""), &out, &errOut)
		if text := out.String() + errOut.String(); got != status || !strings.Contains(text, want) {
			t.Errorf("address %v: status %d, %s", args, got, text)
		}
	}
	call("gatehouse enrol", 1, "list", "--config", site)
	keyset := filepath.Join(dir, "state", "keys")
	must(t, os.MkdirAll(keyset, 0o700))
	must(t, keys.SavePlace(keyset, &keys.Registry{Name: "city", Enrol: "old.example:8443", Broker: "old.example:8883",
		Place: wire.Place{District: "d", Town: "t", Building: "lane-7", Gateway: "gw1"}}))
	call("mqtts://old.example:8883\nhttps://old.example:8443\n", 0, "list", "--config", site)
	call("mqtts://new.example:8883  added here\nmqtts://old.example:8883\n", 0, "add", "--config", site, "mqtts://new.example:8883")
	call(`"added":["mqtts://new.example:8883"]`, 0, "list", "--config", site, "--json")
	call("mqtts://registry.example.org:8883", 1, "add", "--config", site, "new.example")
	call("mqtts://old.example:8883\nhttps://old.example:8443\n", 0, "remove", "--config", site, "mqtts://new.example:8883")
	call("gatehouse address list", 1, "remove", "--config", site, "mqtts://old.example:8883")
	call("--config", 1, "list", "--config", filepath.Join(dir, "none"))
}
