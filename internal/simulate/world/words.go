package world

import (
	"errors"
	"fmt"

	"gatehouse/internal/control"
	"gatehouse/internal/registry/api"
)

// Said is what the registry said against an act, in words; empty: nothing.
func Said(err error) string {
	var e *api.Error
	if errors.As(err, &e) {
		return Refusal(e)
	}
	return Refusal(err)
}

// Refusal is what was said against an act, in words.
func Refusal(err error) string {
	var Said *control.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &Said) && Said.Hint != "":
		return fmt.Sprintf(": refused: %s; %s", Said.Message, Said.Hint)
	}
	return fmt.Sprintf(": refused: %v", err)
}
