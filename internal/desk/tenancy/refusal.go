package tenancy

import "fmt"

// Refusal is an answer that the person at the desk can act on. It never holds
// a name or a number.
type Refusal struct {
	Message string
	Hint    string // what to do; may be empty
	Busy    bool   // somebody else is at the desk
}

func (r *Refusal) Error() string { return r.Message }

// Refuse returns a Refusal.
func Refuse(hint, format string, args ...any) error {
	return &Refusal{Message: fmt.Sprintf(format, args...), Hint: hint}
}
