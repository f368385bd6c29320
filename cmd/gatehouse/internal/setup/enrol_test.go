package setup

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
)

// TestWhereTheBuildingKeyComesFrom: a gateway without the building's key is told to wait
// for another one only where the building has another.
func TestWhereTheBuildingKeyComesFrom(t *testing.T) {
	for alone, want := range map[bool]string{false: "comes from another gateway", true: "from escrow (registryd building-key); put it to /state/keys/building.key;"} {
		var out strings.Builder
		writeEnrolled(&out, control.Enrolled{Directory: "/state/keys", Expires: time.Unix(0, 0), Alone: alone}, false)
		if text := out.String(); !strings.Contains(text, want) || strings.Contains(text, "escrow") != alone {
			t.Errorf("alone %v: %s", alone, text)
		}
	}
}
