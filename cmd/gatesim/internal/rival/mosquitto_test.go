package rival

import (
	"os"
	"strings"
	"testing"
)

// TestAgainstMosquitto: the comparison itself. Without the power cut everything
// must arrive, or it would be a comparison with a broken bridge.
func TestAgainstMosquitto(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: starts brokers")
	}
	const events = 50
	for what, cut := range map[string]bool{"the centre is down": false, "and the gateway loses its power": true} {
		m, err := New(t.TempDir())
		if err != nil {
			if strings.Contains(os.Getenv("GATEHOUSE_REQUIRE"), "mosquitto") {
				t.Fatal(err)
			}
			t.Skipf("SKIP (needs mosquitto): %v", err)
		}
		arrived, err := m.Outage(t.Context(), events, cut)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if !cut && arrived != events || cut && arrived == events {
			t.Errorf("%s: %d of %d arrived", what, arrived, events)
		}
	}
}
