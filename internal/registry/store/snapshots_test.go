package store

import (
	"errors"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
)

// snapshotsAreTwo: of a gateway the newest and the one of a day before are kept, each whole;
// more of one day take each other's place, and nobody gets another gateway's.
func snapshotsAreTwo(t *testing.T, s *Store) {
	of := func(gateway, sum string, at time.Time) api.Snapshot {
		return api.Snapshot{Place: api.Place{Building: "b", Gateway: gateway}, Sum: sum, Size: len(sum), Made: at, Stored: at, Heard: at}
	}
	put := func(gateway, sum string, at time.Time) {
		t.Helper()
		update(t, s, func(tx *Tx) error {
			return tx.Snapshots.Put(of(gateway, sum, at), []byte("body "+sum), at.Add(-20*time.Hour))
		})
	}
	day := 24 * time.Hour
	put("g", "one", now)
	put("g", "two", now.Add(time.Hour))
	put("h", "other", now)
	all, err := s.Snapshots(t.Context()).List("b")
	if err != nil || len(all) != 2 || all[0].Sum != "two" || all[1].Place.Gateway != "h" || !all[0].Fetched.IsZero() {
		t.Errorf("of one day: %+v, %v", all, err)
	}
	put("g", "three", now.Add(day+2*time.Hour))
	put("g", "four", now.Add(2*day+3*time.Hour))
	update(t, s, func(tx *Tx) error {
		kept, err := tx.Snapshots.Heard("b", "g", "four", now.Add(9*day))
		if older, _ := tx.Snapshots.Heard("b", "g", "three", now); !kept || older {
			t.Errorf("the newest is kept: %v; the one before counts as the newest: %v", kept, older)
		}
		return errors.Join(err, tx.Snapshots.SetFetched("b", "g", 1, now.Add(day)))
	})
	all, err = s.Snapshots(t.Context()).List("")
	if err != nil || len(all) != 3 || all[0].Sum != "four" || all[1].Sum != "three" || !all[0].Heard.Equal(now.Add(9*day)) || !all[1].Fetched.Equal(now.Add(day)) {
		t.Errorf("of three days: %+v, %v", all, err)
	}
	for turn, want := range []string{"body four", "body three", ""} {
		if body, err := s.Snapshots(t.Context()).Body("b", "g", turn); string(body) != want || (want == "") != errors.Is(err, ErrNotFound) {
			t.Errorf("%d: %q, %v", turn, body, err)
		}
	}
	update(t, s, func(tx *Tx) error {
		there, err := tx.Snapshots.Drop("b", "g")
		if again, _ := tx.Snapshots.Drop("b", "g"); !there || again {
			t.Errorf("dropped: %v, again %v", there, again)
		}
		return err
	})
	if body, err := s.Snapshots(t.Context()).Body("b", "h", 0); err != nil || string(body) != "body other" {
		t.Errorf("of another gateway: %q, %v", body, err)
	}
}
