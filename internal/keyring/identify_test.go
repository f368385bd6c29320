package keyring

import (
	"testing"

	"gatehouse/device"
	"gatehouse/internal/cardnumber"
)

// h10301 is a card in the form of H10301.
func h10301(t testing.TB, facility, number uint64) device.Card {
	t.Helper()
	forms := cardnumber.Derive(device.CardOf(facility<<16|number, 40))
	if len(forms) < 2 || forms[1].Len() != 26 {
		t.Fatalf("forms of forty bits: %v", forms)
	}
	return forms[1]
}
