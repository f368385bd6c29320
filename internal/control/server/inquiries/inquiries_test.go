package inquiries

import (
	"testing"
	"time"

	"gatehouse/internal/inquiry"
)

// TestPreservedInTheBuildingsZone: until when an order holds is told in the building's zone, whatever that of the machine is.
func TestPreservedInTheBuildingsZone(t *testing.T) {
	at := time.Date(2026, 11, 30, 20, 0, 0, 0, time.UTC)
	p, err := preserve(inquiry.Kept{Left: time.Hour, Until: at}, nil, time.FixedZone("", 8*3600))
	if err != nil || p.Seconds != 3600 || p.Until.Format(time.RFC3339) != "2026-12-01T04:00:00+08:00" {
		t.Errorf("%+v: %v", p, err)
	}
	if p, err := preserve(inquiry.Kept{Left: time.Hour}, nil, time.UTC); err != nil || p.Until != nil {
		t.Errorf("without a clock: %+v, %v", p, err)
	}
}
