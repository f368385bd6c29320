package testbed

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/brief"
	"gatehouse/sync/wire"
)

// childNumber is an invented number of somebody who is a year old.
func childNumber(now time.Time) string {
	digits := "440000" + now.AddDate(-1, 0, 0).Format("20060102") + "123"
	sum := 0
	for i := range digits {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

// TestChildIsKnownInTheBuilding: whom the desk of one gateway has checked in with a child's number, another gateway of the building keeps
// briefly, also one that takes its place; nobody else. A gateway of an older program gets no list, and goes on.
func TestChildIsKnownInTheBuilding(t *testing.T) {
	for name, formats := range map[string]uint64{"a sibling of now": 0, "a sibling of before": wire.RetentionFormat} {
		dir := t.TempDir()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &replacement{t: t, bed: NewBed(Setup{Dir: dir, Seed: 1, Gateways: 2})}
				r.must(r.bed.Start())
				defer r.bed.End()
				sibling := r.bed.Gateways[1]
				sibling.Stop()
				r.must(sibling.Disk.Fresh())
				sibling.Formats = formats
				r.must(sibling.enrol(true))
				r.must(sibling.Start())
				r.gate = r.bed.Gateways[0]
				time.Sleep(5 * time.Minute)
				r.checkIn("3B", 1)
				r.document, r.number = "resident_id", childNumber(time.Now())
				r.checkIn("2A", 2)
				all, err := r.bed.Registry.Op.Tenancies(r.bed.Ctx, Building)
				r.must(err)
				var want string
				for _, one := range all {
					if one.Flat == "2A" {
						want = one.ID + "\n"
					}
				}
				knows := func(when string) {
					t.Helper()
					b, err := os.ReadFile(sibling.Disk.Path("state", "grants", brief.File))
					switch {
					case formats != 0 && err == nil:
						t.Errorf("%s: it has a list, of a format that it does not read: %q", when, b)
					case formats == 0 && string(b) != want:
						t.Errorf("%s: it knows %q, want %q, %v", when, b, want, err)
					}
				}
				knows("after the check-in")
				if !sibling.Swipe(2) {
					t.Error("the child's card does not open there")
				}
				sibling.Stop()
				r.must(sibling.Disk.Fresh())
				r.must(sibling.enrol(true))
				r.must(sibling.Start())
				time.Sleep(30 * time.Minute)
				synctest.Wait()
				knows("another machine in its place")
				if s, err := r.bed.Registry.Op.Tenancies(r.bed.Ctx, Building); err != nil || strings.Contains(fmt.Sprintf("%+v", s), "rief") {
					t.Errorf("operators see it: %+v, %v", s, err)
				}
			})
		})
	}
}
