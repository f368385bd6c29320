package profile_test

import (
	"slices"
	"testing"

	"gatehouse/device"
	"gatehouse/device/osdp"
	profiles "gatehouse/firmware-profiles"
)

// TestWords: the words of profiles are those of the drivers.
func TestWords(t *testing.T) {
	var feedbacks []string
	for _, f := range device.Feedbacks() {
		feedbacks = append(feedbacks, f.String())
	}
	if !slices.Equal(feedbacks, profiles.Feedbacks()) {
		t.Errorf("feedback is %v, in profiles %v", feedbacks, profiles.Feedbacks())
	}
	for _, name := range profiles.Colours() {
		if c, ok := osdp.ColourNamed(name); !ok || c.String() != name {
			t.Errorf("no colour %s", name)
		}
	}
}
