package testbed

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/control"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/internal/site"
)

// replacement is the only gateway of a house that burns, and the machine in its place.
type replacement struct {
	t    *testing.T
	bed  *Bed
	gate *Gateway

	document, number string // of whoever is checked in; empty: a passport
}

func (r *replacement) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// checkIn checks a tenant in, with a card.
func (r *replacement) checkIn(flat string, card int) {
	r.t.Helper()
	open, err := r.gate.Client.OpenDesk(r.bed.Ctx, control.DeskRequest{})
	r.must(err)
	shown := make(chan error, 1)
	go func() {
		_, err := r.gate.Client.ShowCard(r.bed.Ctx, open.Session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Seconds: 60}})
		shown <- err
	}()
	time.Sleep(time.Second)
	synctest.Wait()
	r.gate.Board.Show(virtual.CardOf(card))
	r.must(<-shown)
	_, err = r.gate.Client.CheckIn(r.bed.Ctx, open.Session, control.CheckIn{Document: cmp.Or(r.document, "passport"), Number: cmp.Or(r.number, "E0000001"), Name: "Person A", Flat: flat, Label: flat, Basis: "contract", Informed: true, PIN: "2468"})
	r.must(err)
	r.must(r.gate.Client.CloseDesk(r.bed.Ctx, open.Session))
	time.Sleep(5 * time.Minute)
	synctest.Wait()
}

func (r *replacement) epoch() string {
	r.t.Helper()
	s, err := r.gate.Status()
	r.must(err)
	return s.Journal.Epoch
}

// burn takes the machine away, and puts a new one in its place that is wired the same.
func (r *replacement) burn() (config string) {
	r.t.Helper()
	r.gate.Stop()
	r.must(r.gate.Disk.Fresh())
	r.must(os.MkdirAll(r.gate.Disk.Dir(), 0o700))
	r.gate.Clock.Set(0, true) // a new machine knows no time
	parsed, err := r.gate.parse()
	r.must(err)
	config = filepath.Join(r.gate.Disk.Dir(), "site.toml")
	r.must(os.WriteFile(config, site.Text(parsed), 0o600))
	return config
}

// epochs are those of which the registry has entries of a kind.
func (r *replacement) epochs(kind string) (all []string) {
	r.t.Helper()
	_, err := r.bed.Registry.API.Entries(r.bed.Ctx, api.EntryFilter{Building: Building, Kind: kind, Limit: 10_000}, func(e api.Entry) error {
		if !slices.Contains(all, e.Epoch) {
			all = append(all, e.Epoch)
		}
		return nil
	})
	r.must(err)
	return all
}

// TestReplacedFromBackup: the only gateway of a house burns. The machine in its place is
// restored from the stick, and the tenants' cards open there with the registry away: the
// one that the list has, and the one that was checked in since. With a token it is the
// registry's gateway again: the log goes on in a new epoch, and the registry has both, and
// takes what the desk does from then on.
func TestReplacedFromBackup(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := &replacement{t: t, bed: NewBed(Setup{Dir: dir, Seed: 1, Gateways: 1})}
		r.must(r.bed.Start())
		defer r.bed.End()
		r.gate = r.bed.Gateways[0]
		r.checkIn("3B", 1)
		code, err := control.BackupsOf(r.gate.Client).NewCode(r.bed.Ctx, control.NewRecovery{})
		r.must(err)
		r.bed.Registry.Cut["gw1"] = true
		r.gate.CutLink()
		r.checkIn("2A", 2)
		proved, err := control.BackupsOf(r.gate.Client).Rehearse(r.bed.Ctx, code)
		if err != nil || proved.Tenancies != 2 {
			t.Fatalf("rehearsed: %+v, %v", proved, err)
		}
		stick, err := control.BackupsOf(r.gate.Client).Take(r.bed.Ctx)
		r.must(err)
		if !r.gate.Swipe(1) || !r.gate.Swipe(2) {
			t.Fatal("cards do not open before the fire")
		}
		before := r.epoch()
		config := r.burn()

		parsed, err := recovery.Parse(code.Code)
		r.must(err)
		b, err := restore.Open(stick.Data, parsed)
		r.must(err)
		done, err := restore.Restore(b, restore.Target{Config: config})
		if err != nil || done.Tenancies != 2 || done.Registry != "town" || !done.KeptSite {
			t.Fatalf("restored: %+v, %v", done, err)
		}
		r.must(r.gate.Start())
		if !r.gate.Swipe(1) || !r.gate.Swipe(2) || r.gate.Swipe(3) {
			t.Error("without the registry: a tenant's card does not open, or any does")
		}
		after := r.epoch()
		if after == before {
			t.Error("the log of the new machine goes on in the epoch of the old one")
		}

		r.bed.Registry.Cut["gw1"] = false
		r.gate.Stop()
		r.must(r.gate.EnrolPatiently())
		r.must(r.gate.Start())
		time.Sleep(time.Hour)
		synctest.Wait()
		if !r.gate.Swipe(1) || !r.gate.Swipe(2) {
			t.Error("enrolled again: a tenant's card does not open")
		}
		r.checkIn("1A", 3)
		time.Sleep(time.Hour)
		synctest.Wait()
		for _, kind := range []string{"boot", "access"} {
			if got := r.epochs(kind); !slices.Contains(got, after) || kind == "boot" && !slices.Contains(got, before) {
				t.Errorf("entries %q at the registry are of epochs %v; want %s and %s", kind, got, before, after)
			}
		}
		tenancies, err := r.bed.Registry.Op.Tenancies(r.bed.Ctx, "")
		if err != nil || len(tenancies) != 3 {
			t.Errorf("the registry has %d tenancies, %v", len(tenancies), err)
		}
		s, err := r.gate.Status()
		r.must(errors.Join(err))
		t.Log(s.Problems)
		if !r.gate.Swipe(3) || s.Uplink.State != "in step" || s.Uplink.Records > 0 {
			t.Errorf("the house does not go on: %+v", s.Uplink)
		}
	})
}
