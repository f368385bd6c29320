package page

import (
	"errors"
	"net/http"
	"strings"

	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
)

// Advice is what went wrong, and what to do, in the language of the visit.
type Advice struct {
	Message, Hint string
	key           string // of the words; empty: there are none
	days          int
}

// Advice returns the words for an error; nil for none. days are those of a notice, which some words
// name.
func (v *Visit) Advice(err error, days int) *Advice {
	if err == nil {
		return nil
	}
	var word text.Word
	if errors.As(err, &word) {
		return v.Words(string(word), days)
	}
	if key := text.KeyOf(err.Error()); key != "" {
		return v.Words(key, days)
	}
	a := &Advice{Message: err.Error()}
	var e *socket.Error
	if errors.As(err, &e) {
		a.Hint = e.Hint
	}
	return a
}

// Words returns the words of a key, and what to do, if it has words for that.
func (v *Visit) Words(key string, days int) *Advice {
	a := &Advice{Message: v.Say(key), key: key, days: days}
	if strings.Contains(a.Message, "%d") {
		a.Message = v.Say(key, days)
	}
	if v.page.Words.Has(key + "_do") {
		a.Hint = v.Say(key + "_do")
	}
	return a
}

// Told returns an error of the daemon in the page's words, if it has some.
func (v *Visit) Told(err error) error {
	a := v.Advice(err, 0)
	out := told{&socket.Error{Message: a.Message, Hint: a.Hint}, a}
	var e *socket.Error
	if errors.As(err, &e) {
		out.as.Status = e.Status
	}
	return out
}

// told is an error as it is told.
type told struct {
	as     *socket.Error
	advice *Advice
}

func (t told) Error() string { return t.as.Error() }
func (t told) Unwrap() error { return t.as }

// StatusOf returns the daemon's HTTP status, or that of an invalid form.
func StatusOf(err error) int {
	var e *socket.Error
	if errors.As(err, &e) && e.Status != 0 {
		return e.Status
	}
	return http.StatusUnprocessableEntity
}
