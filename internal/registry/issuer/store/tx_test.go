package store

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
)

// TestTxFailsAsAWhole: nothing of a transaction is kept of which one write has failed, and
// the error is that write's.
func TestTxFailsAsAWhole(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "issuer.db"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	first := errors.New("the first")
	err = db.Update(func(tx *Tx) {
		SetState(tx, "a", 1)
		tx.Fail(first)
		tx.Fail(errors.New("the second"))
		if SetState(tx, "b", 2); DropGateway(tx, "house", "gw-1") || !tx.Failed() {
			t.Error("a transaction that has failed goes on")
		}
	})
	if !errors.Is(err, first) {
		t.Errorf("it says %v", err)
	}
	if err := db.Update(func(tx *Tx) { SetState(tx, "c", 3) }); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int64{"a": 0, "b": 0, "c": 3} {
		if got, err := State(db, key); err != nil || got != want {
			t.Errorf("%s is %d: %v", key, got, err)
		}
	}
	err = db.Update(func(tx *Tx) {
		tx.exec("do what can't be done", `UPDATE nothing SET n = 1`)
		SetState(tx, "a", 1)
	})
	if got, _ := State(db, "a"); err == nil || got != 0 {
		t.Errorf("after a write that failed another is kept: %d, %v", got, err)
	}
}
