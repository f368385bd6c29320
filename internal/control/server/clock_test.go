package server

import (
	"testing"
	"time"
)

// TestClockAsk: a signed time counts once, for the newest question, and within a
// minute of it; a wrong answer uses nothing up.
func TestClockAsk(t *testing.T) {
	var a clockAsk
	if _, ok := a.take(make([]byte, 16), 0); ok {
		t.Error("an answer to no question counts")
	}
	old := a.ask(time.Hour)
	nonce := a.ask(time.Hour)
	if _, ok := a.take(old, time.Hour); ok {
		t.Error("an answer to an older question counts")
	}
	if _, ok := a.take(nonce, time.Hour+answerWithin+1); ok {
		t.Error("a late answer counts")
	}
	if within, ok := a.take(nonce, time.Hour+answerWithin); !ok || within != answerWithin {
		t.Errorf("the answer: %v after %v", ok, within)
	}
	if _, ok := a.take(nonce, time.Hour+answerWithin); ok {
		t.Error("an answer counts twice")
	}
}
