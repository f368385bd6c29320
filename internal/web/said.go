package web

import (
	"errors"
	"strings"

	"gatehouse/internal/socket"
	"gatehouse/internal/web/reception"
	"gatehouse/internal/web/text"
	"gatehouse/internal/web/wizard"
)

// advice is what went wrong, and what to do, in the language of the visit.
type advice struct{ Message, Hint string }

// advice puts an error into words; nil for none. Days are those of a notice, which some
// of the words name.
func (v *visit) advice(err error, days int) *advice {
	if err == nil {
		return nil
	}
	var word reception.Word
	var answer wizard.Word
	switch {
	case errors.As(err, &word):
		return v.words(string(word), days)
	case errors.As(err, &answer):
		return v.words(string(answer), days)
	}
	if key := text.KeyOf(err.Error()); key != "" {
		return v.words(key, days)
	}
	a := &advice{Message: err.Error()}
	var e *socket.Error
	if errors.As(err, &e) {
		a.Hint = e.Hint
	}
	return a
}

func (v *visit) words(key string, days int) *advice {
	a := &advice{Message: v.say(key)}
	if strings.Contains(a.Message, "%d") {
		a.Message = v.say(key, days)
	}
	if v.s.words.Has(key + "_do") {
		a.Hint = v.say(key + "_do")
	}
	return a
}

// told is an error of the daemon in the page's words, as far as there are some.
func (v *visit) told(err error) error {
	a := v.advice(err, 0)
	out := &socket.Error{Message: a.Message, Hint: a.Hint}
	var e *socket.Error
	if errors.As(err, &e) {
		out.Status = e.Status
	}
	return out
}
