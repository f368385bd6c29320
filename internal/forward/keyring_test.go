package forward

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"gatehouse/internal/keyring"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keys"
	"gatehouse/sync/uplink"
	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
)

// TestJudged: what a keyring refuses has its reason in the journal, what is active on no
// disk is no refusal, and the error itself is still to be found.
func TestJudged(t *testing.T) {
	for err, want := range map[error]uplink.Judged{
		keyring.ErrSecondNeeded: {Reason: wire.ReasonSecondNeeded},
		keyring.ErrUnproved:     {Reason: wire.ReasonUnproved},
		keyring.ErrTooFar:       {Reason: wire.ReasonTooFar},
		keys.ErrOtherFloor:      {Reason: wire.ReasonRolledBack},
		keyring.ErrConflict:     {Reason: wire.ReasonRolledBack},
		keyring.ErrRolledBack:   {Reason: wire.ReasonRolledBack},
		keyring.ErrNotDurable:   {Active: true},
		wire.ErrUnknownKey:      {}, // the uplink knows these itself
	} {
		got := judged(fmt.Errorf("apply list: %w", err))
		j, ok := errors.AsType[*uplink.Judged](got)
		if !ok || j.Reason != want.Reason || j.Active != want.Active || !errors.Is(got, err) || got.Error() != "apply list: "+err.Error() {
			t.Errorf("%v: judged %+v", err, got)
		}
	}
	if err := judged(nil); err != nil {
		t.Errorf("no error: %v", err)
	}
}

// TestStateOf: the uplink sees the keyring's lists and key as they are.
func TestStateOf(t *testing.T) {
	s := keyring.Status{HasKey: true, KeyNumber: 1, Epoch: 2, Version: 3, Hash: wire.Hash{4}, Active: keyring.ActiveList{Epoch: 5, Version: 6, Issued: time.Unix(7, 0)},
		Over: keyring.Over{Grants: 8, Hash: wire.Hash{9}, Masked: []merge.Masked{{Grant: wire.ID{10}, Tenancy: wire.ID{11}}}}, Unproved: &keyring.Unproved{Version: 12}}
	want := lists.State{HasKey: true, KeyNumber: 1, Epoch: 2, Version: 3, Hash: wire.Hash{4}, ActiveEpoch: 5, Active: 6, Issued: time.Unix(7, 0),
		Over: 8, OverHash: wire.Hash{9}, Masked: []lists.Masked{{Grant: wire.ID{10}, Tenancy: wire.ID{11}}}, Unproved: 12}
	if got := stateOf(s); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if got := stateOf(keyring.Status{}); !reflect.DeepEqual(got, lists.State{}) {
		t.Errorf("of an empty keyring: %+v", got)
	}
}
