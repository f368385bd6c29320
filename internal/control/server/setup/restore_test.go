package setup

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/backup/keeper"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/network"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
)

// burned is the backup of a standalone house whose machine is gone, with its code.
func burned(t *testing.T, state string) ([]byte, recovery.Code) {
	t.Helper()
	s, err := site.Parse(fmt.Appendf(nil, "building = \"lane-7\"\ngateway = \"gw1\"\nstate = %q\n[[door]]\nid = \"front\"\negress = \"mechanical\"\nlock = \"fail-secure\"\nrelay = {chip = \"sim0\", line = 2, pull = \"down\"}\n", state))
	must(t, err)
	public, issuer, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	building, err := keys.GenerateBuildingKey(1)
	must(t, err)
	_, err = keys.Install(s.Path("keys"), public, building)
	must(t, err)
	loaded, err := keys.LoadKeys(s.Path("keys"))
	must(t, err)
	ring, err := keyring.Open(keyring.Options{Dir: s.Path("grants"), Building: "lane-7", Keys: loaded, Log: zerolog.Nop()})
	must(t, err)
	e, err := grantlist.NewEditor(grantlist.List{}, "lane-7", issuer, 0)
	must(t, err)
	_, err = e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{{1, 2}}})
	must(t, err)
	u, err := e.Sign(time.Now())
	must(t, err)
	must(t, ring.Apply(u))
	k := keeper.New(keeper.Options{Site: s, Keyring: ring, Now: time.Now, Log: zerolog.Nop()})
	code, err := k.NewCode(false)
	must(t, err)
	_, data, err := k.Take()
	must(t, err)
	must(t, ring.Close())
	must(t, os.RemoveAll(state))
	return data, code
}

// TestRestoreBySocket: a machine that waits to be set up takes the place of another, by its
// backup and code; then there is a house to serve. What does not fit is refused, and the
// daemon waits on.
func TestRestoreBySocket(t *testing.T) {
	g := newGateway(t)
	data, code := burned(t, filepath.Join(filepath.Dir(g.file), "state"))
	ended, _ := g.run()
	backups := control.BackupsOf(control.NewClientOver(network.Network{}, g.o.Socket))
	for _, c := range []struct {
		in     control.RestoreRequest
		status int
		says   string
	}{
		{control.RestoreRequest{Data: data, Code: "nothing"}, http.StatusUnprocessableEntity, "no recovery code"},
		{control.RestoreRequest{Data: data, Code: recovery.New().String()}, http.StatusForbidden, "does not open"},
		{control.RestoreRequest{Data: data[:len(data)-1], Code: code.String()}, http.StatusBadRequest, "in part"},
		{control.RestoreRequest{Code: code.String()}, http.StatusBadRequest, "in part"},
		{control.RestoreRequest{Data: make([]byte, control.MostRestore), Code: code.String()}, http.StatusBadRequest, "no backup of a gateway"}, // it is read whole
	} {
		_, err := backups.Restore(t.Context(), c.in)
		if status, says := refused(err); status != c.status || !strings.Contains(says, c.says) {
			t.Errorf("status %d, %v, want %d, %s", status, err, c.status, c.says)
		}
	}
	if _, err := os.Stat(g.file); err == nil {
		t.Error("a refused restore writes a site file")
	}
	done, err := backups.Restore(t.Context(), control.RestoreRequest{Data: data, Code: strings.ToLower(code.String())})
	if err != nil || done.Building != "lane-7" || done.Tenancies != 1 || done.Registry != site.NoRegistry {
		t.Errorf("%+v, %v", done, err)
	}
	if !<-ended {
		t.Error("there is no house to serve")
	}
	s, err := site.Load(g.file)
	must(t, err)
	book, err := acceptance.Open(s, "", time.Now)
	must(t, err)
	if _, doors := book.Doors(); !book.Replaced() || len(doors) != 1 || doors[0].Ready {
		t.Errorf("the doors of a machine with new wires need no proof: %+v", doors)
	}
}
