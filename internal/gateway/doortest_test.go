package gateway

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/sync/uplink"
)

// TestTestsOfADay: one test after the other does not watch a door, and one that
// was ended early costs what it took.
func TestTestsOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d doorTest
		for range 3 {
			end, err := d.begin(15*time.Minute, time.Now())
			if err != nil || !d.runs() {
				t.Fatal(err)
			}
			time.Sleep(15 * time.Minute)
			end()
		}
		end, err := d.begin(15*time.Minute, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		end()
		if _, err := d.begin(11*time.Minute, time.Now()); err == nil || !strings.Contains(err.Error(), "long enough today") {
			t.Errorf("more than an hour a day: %v", err)
		}
		if end, err = d.begin(10*time.Minute, time.Now()); err != nil {
			t.Error(err)
		}
		if _, err := d.begin(time.Minute, time.Now()); err == nil || !strings.Contains(err.Error(), "being tested") {
			t.Errorf("two at once: %v", err)
		}
		end()
		time.Sleep(25 * time.Hour)
		if _, err = d.begin(15*time.Minute, time.Now()); err != nil {
			t.Error(err)
		}
	})
}

// TestLinkTellsNothing: that entries are on their way looks like nothing to send.
func TestLinkTellsNothing(t *testing.T) {
	if shownLink(uplink.StateSending) != shownLink(uplink.StateInStep) || shownLink(uplink.StateDown) != uplink.StateDown {
		t.Error("the state of the link tells whether somebody has just come in")
	}
}
