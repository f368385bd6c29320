package testbed

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/replace"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/control"
	"gatehouse/internal/enrol"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

// backedUp is a house of two tenants whose backup is at the registry.
func backedUp(t *testing.T, dir string) (*replacement, recovery.Code) {
	t.Helper()
	r := &replacement{t: t, bed: NewBed(Setup{Dir: dir, Seed: 1, Gateways: 1})}
	r.must(r.bed.Start())
	r.gate = r.bed.Gateways[0]
	r.checkIn("3B", 1)
	r.checkIn("2A", 2)
	code, err := control.BackupsOf(r.gate.Client).NewCode(r.bed.Ctx, control.NewRecovery{})
	r.must(err)
	r.rest(2 * time.Hour)
	parsed, err := recovery.Parse(code.Code)
	r.must(err)
	return r, parsed
}

func (r *replacement) rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// kept are the backups at the registry.
func (r *replacement) kept() []api.Snapshot {
	r.t.Helper()
	all, err := r.bed.Registry.API.Snapshots(r.bed.Ctx, Building)
	r.must(err)
	return all
}

// replaced makes the new machine the gateway by a token.
func (r *replacement) replaced(config, token string, code recovery.Code) (replace.Result, error) {
	return replace.FromRegistry(r.bed.Ctx, replace.Options{Token: token, Code: code, Target: restore.Target{Config: config}, Software: "simulated", Network: r.bed.LAN.Sockets()})
}

// refused wants these words, and a status of HTTP.
func (r *replacement) refused(err error, status int, want string) {
	r.t.Helper()
	var said *socket.Error
	if !errors.As(err, &said) || said.Status != status || said.Hint == "" || !strings.Contains(err.Error(), want) {
		r.t.Errorf("%v, want %q with status %d and a hint", err, want, status)
	}
}

// TestReplacedFromRegistry: the only gateway of a house burns, and nobody has a stick. The
// machine in its place gets yesterday's backup from the registry by a token and opens it by the code:
// the cards open, and one that was revoked since then does not once the newest list is there. The log
// goes on in a new epoch; the token and the old machine's keys are good for nothing more.
func TestReplacedFromRegistry(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r, code := backedUp(t, dir)
		defer r.bed.End()
		if all := r.kept(); len(all) != 1 || all[0].Turn != 0 || all[0].Removed || !all[0].Fetched.IsZero() {
			t.Fatalf("at the registry: %+v", all)
		}
		before := r.epoch()
		burned, err := keys.LoadPrivateKey(r.gate.Disk.Path("state", "keys", keys.GatewayKeyFile))
		r.must(err)
		r.gate.Stop()
		r.end("2A")
		config := r.burn()

		token, err := r.gate.Token(true)
		r.must(err)
		_, err = r.replaced(config, "GH1-NONSENSE", code)
		r.refused(err, http.StatusUnprocessableEntity, "no token")
		other, err := wire.ParseToken(token)
		r.must(err)
		other.Place[3] = "another"
		foreign, err := other.Text()
		r.must(err)
		_, err = r.replaced(config, foreign, code)
		r.refused(err, http.StatusUnprocessableEntity, "the token is for "+Building+"/another, the site file for "+Building+"/"+r.gate.Name)
		_, err = r.replaced(config, token, recovery.New())
		r.refused(err, http.StatusForbidden, "does not open")
		done, err := r.replaced(config, token, code)
		if err != nil || done.Tenancies != 2 || done.Older != "" || done.Later != "" || done.Registry != "town" {
			t.Fatalf("replaced: %+v, %v", done, err)
		}
		if all := r.kept(); all[0].Fetched.IsZero() {
			t.Error("that it was fetched is not told")
		}
		r.must(r.gate.Start())
		r.rest(10 * time.Minute)
		if !r.gate.Swipe(1) || r.gate.Swipe(2) || r.gate.Swipe(3) {
			t.Error("a tenant's card does not open, or one that was revoked after the backup does")
		}
		after := r.epoch()
		if got := r.epochs("boot"); after == before || !slices.Contains(got, after) || !slices.Contains(got, before) {
			t.Errorf("entries at the registry are of epochs %v; want %s and %s", got, before, after)
		}
		envelope, err := snapshot.Of([]byte("rubbish"), 1).Sign(Building+"/"+r.gate.Name, burned)
		r.must(err)
		if _, err := enrol.SendSnapshot(r.bed.Ctx, r.https(), envelope, []byte("rubbish")); err == nil || !strings.Contains(err.Error(), "unknown key") {
			t.Errorf("the old machine's key: %v", err)
		}
		r.gate.Stop()
		config = r.burn()
		_, err = r.replaced(config, token, code)
		r.refused(err, http.StatusBadGateway, "the token was used")
	})
}

// end ends the tenancy of a flat at the registry.
func (r *replacement) end(flat string) {
	r.t.Helper()
	all, err := r.bed.Registry.Op.Tenancies(r.bed.Ctx, "")
	r.must(err)
	i := slices.IndexFunc(all, func(t operator.Tenancy) bool { return t.Flat == flat })
	_, err = r.bed.Registry.Op.Do(r.bed.Ctx, operator.Act{Act: operator.ActEnd, Tenancy: all[i].ID, Reason: "order"})
	r.must(err)
}

// https is how the gateway reaches the registry.
func (r *replacement) https() enrol.RenewerOptions {
	return enrol.RenewerOptions{Dir: r.gate.Disk.Path("state", "keys"), Now: time.Now, Trusted: func() bool { return true }, Network: r.bed.LAN.Sockets()}
}

// TestSnapshotsStayAtTheRegistry: it is asked each night and gets none where nothing has
// changed; one whose database was put back is given it again; what is newer becomes the newest, with that
// of the day before beside it; and while entries can't go there, no backup does.
func TestSnapshotsStayAtTheRegistry(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r, _ := backedUp(t, dir)
		defer r.bed.End()
		first := r.kept()[0]
		r.rest(22 * time.Hour)
		if all := r.kept(); len(all) != 1 || all[0].Sum != first.Sum || !all[0].Heard.After(first.Heard.Add(17*time.Hour)) {
			t.Errorf("nothing changed in a day: %+v", all)
		}
		r.checkIn("1A", 3)
		r.rest(22 * time.Hour)
		all := r.kept()
		if len(all) != 2 || all[1].Sum != first.Sum || all[0].Sum == first.Sum {
			t.Errorf("a tenant more: %+v", all)
		}
		r.must(r.bed.Registry.API.DropSnapshots(r.bed.Ctx, api.Place{Building: Building, Gateway: r.gate.Name})) // as a database from before has none
		r.rest(22 * time.Hour)
		if again := r.kept(); len(again) != 1 || again[0].Size == 0 {
			t.Errorf("a registry that was put back: %+v", again)
		}
		s, err := control.BackupsOf(r.gate.Client).Status(r.bed.Ctx)
		if err != nil || s.Registry == nil || s.Registry.Made == nil || s.Registry.Kept == nil || s.Registry.Problem != "" {
			t.Errorf("the gateway says %+v, %v", s.Registry, err)
		}
		before := r.kept()[0].Heard
		r.bed.Registry.Cut["gw1"] = true
		r.gate.CutLink()
		r.rest(24 * time.Hour)
		if heard := r.kept()[0].Heard; heard.After(before.Add(time.Hour)) {
			t.Errorf("while entries wait: named at %v, after %v", heard, before)
		}
	})
}
