package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/uplink"
)

// TestTestsOfADay: one test after the other does not watch a door, nor does a start
// between them, and one that was ended early costs what it took.
func TestTestsOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, began := filepath.Join(t.TempDir(), "doortests.json"), time.Now()
		start := func() *doorTests {
			return newDoorTests(path, func() time.Duration { return time.Since(began) }, []string{"front", "back"}, zerolog.Nop())
		}
		d := start()
		for range 3 {
			end, err := d.begin("front", 15*time.Minute)
			if err != nil || !d.running["front"] || d.running["back"] {
				t.Fatal(err)
			}
			time.Sleep(15 * time.Minute)
			end()
			d = start()
		}
		end, err := d.begin("front", 15*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		end()
		if _, err := d.begin("front", 11*time.Minute); err == nil || !strings.Contains(err.Error(), "long enough today") {
			t.Errorf("more than an hour a day: %v", err)
		}
		if end, err = d.begin("front", 10*time.Minute); err != nil {
			t.Error(err)
		}
		if _, err := d.begin("front", time.Minute); err == nil || !strings.Contains(err.Error(), "being tested") {
			t.Errorf("two at once: %v", err)
		}
		time.Sleep(time.Minute)
		killed := start() // in the middle of a test
		if _, err := killed.begin("front", time.Minute); err == nil {
			t.Error("a kill gives minutes back")
		}
		end()
		if end, err = start().begin("back", 15*time.Minute); err != nil {
			t.Error(err)
		}
		end()
		time.Sleep(25 * time.Hour)
		if _, err = d.begin("front", 15*time.Minute); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := start().begin("front", time.Minute); err == nil {
			t.Error("who garbles the file tests for ever")
		}
	})
}

// TestLinkTellsNothing: that entries are on their way looks like nothing to send.
func TestLinkTellsNothing(t *testing.T) {
	if shownLink(uplink.StateSending) != shownLink(uplink.StateInStep) || shownLink(uplink.StateDown) != uplink.StateDown {
		t.Error("the state of the link tells whether somebody has just come in")
	}
}
