package page

import (
	"errors"
	"net/http"
	"strings"

	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
)

// Advice is what went wrong, and what to do, in the language of the visit.
type Advice struct{ Message, Hint string }

// Advice puts an error into words; nil for none. Days are those of a notice, which some
// of the words name.
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

// Words are those of a key, with what to do where there are some of that.
func (v *Visit) Words(key string, days int) *Advice {
	a := &Advice{Message: v.Say(key)}
	if strings.Contains(a.Message, "%d") {
		a.Message = v.Say(key, days)
	}
	if v.page.Words.Has(key + "_do") {
		a.Hint = v.Say(key + "_do")
	}
	return a
}

// Told is an error of the daemon in the page's words, as far as there are some.
func (v *Visit) Told(err error) error {
	a := v.Advice(err, 0)
	out := &socket.Error{Message: a.Message, Hint: a.Hint}
	var e *socket.Error
	if errors.As(err, &e) {
		out.Status = e.Status
	}
	return out
}

// StatusOf is the daemon's, or that of a form that does not do.
func StatusOf(err error) int {
	var e *socket.Error
	if errors.As(err, &e) && e.Status != 0 {
		return e.Status
	}
	return http.StatusUnprocessableEntity
}
