package api

import (
	"strings"
	"testing"
	"time"
)

// TestRetentionNamesItsZone: a time that an operator reads has the name of its zone.
func TestRetentionNamesItsZone(t *testing.T) {
	at := time.Date(2027, 1, 2, 3, 4, 0, 0, time.UTC)
	text := Retention{Passages: 24 * time.Hour, Acts: 48 * time.Hour, Erased: 1, Last: &at}.String()
	if !strings.Contains(text, "after 1 day, who did what else after 2 days; 1 erased, looked at 2027-01-0") || strings.Contains(text, "Local") {
		t.Error(text)
	}
}
