package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// TestTermsThatNoRecordHolds: a time beyond 32 bits of seconds is refused. Cut
// off it would be another day, which nobody has asked for.
func TestTermsThatNoRecordHolds(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	for _, c := range []struct {
		at time.Time
		ok bool
	}{
		{time.Date(2106, 2, 7, 0, 0, 0, 0, zone), true},
		{time.Date(1970, 1, 2, 0, 0, 0, 0, zone), true},
		{time.Date(2106, 2, 9, 0, 0, 0, 0, zone), false},
		{time.Date(2150, 1, 1, 0, 0, 0, 0, zone), false},
		{time.Date(9999, 12, 31, 0, 0, 0, 0, zone), false},
		{time.Date(1970, 1, 1, 8, 0, 0, 0, zone), false}, // 0 means none
		{time.Date(1950, 1, 1, 0, 0, 0, 0, zone), false},
	} {
		s, err := unixOf(&c.at)
		var no *socket.Error
		if c.ok && (err != nil || int64(s) != c.at.Unix()) || !c.ok && (!errors.As(err, &no) || no.Error() == "") {
			t.Errorf("%v: %d %v", c.at, s, err)
		}
	}
	if s, err := unixOf(nil); s != 0 || err != nil {
		t.Errorf("none: %d %v", s, err)
	}
}

// TestCopyable: a card can be copied where any reader at its doors takes a number alone; of
// one that only OSDP readers and scanners take nobody here says it.
func TestCopyable(t *testing.T) {
	house := &site.Site{Doors: []site.Door{{ID: "front", Readers: []site.Reader{{Type: site.TypeOSDP}, {Type: site.TypeCode}}}, {ID: "yard", Readers: []site.Reader{{Type: site.TypeOSDP}, {Type: site.TypeWiegand}}},
		{ID: "cellar", Readers: []site.Reader{{Type: site.TypeSerial}}}, {ID: "roof", Readers: []site.Reader{{Type: site.TypePN532}}}}}
	for doors, want := range map[string]bool{"front": false, "yard": true, "front cellar": true, "roof": true, "elsewhere": false, "": false} {
		if got := copyable(house, strings.Fields(doors)); got != want {
			t.Errorf("doors %q: %v", doors, got)
		}
	}
}
