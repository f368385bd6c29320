package reception

import (
	"testing"
	"time"

	"gatehouse/cmd/gatehouse/internal/termtest"
	"gatehouse/internal/control"
)

// TestTermsAsPeopleWriteThem: a day is read in the building's zone; what no record can
// hold is refused.
func TestTermsAsPeopleWriteThem(t *testing.T) {
	desk := control.Desk{TimeZone: termtest.Zone, Doors: []string{"front"}}
	termtest.Judge(t, func(until string) (*time.Time, error) {
		in, err := answers{Until: until}.checkIn(desk)
		return in.Until, err
	})
	in, err := answers{From: "2027年2月1日"}.checkIn(desk)
	if err != nil || in.From.Format(time.RFC3339) != "2027-02-01T00:00:00+08:00" {
		t.Errorf("first day: %v %v", in.From, err)
	}
	if in, err := (answers{From: "2150-01-01"}).checkIn(desk); err == nil {
		t.Errorf("first day in 2150: %v", in.From)
	}
}
