package issuer

import (
	"net/http"
	"os/user"
	"strconv"
)

// whoKey is where a request's context has the user behind it.
type whoKey struct{}

func who(r *http.Request) string {
	name, _ := r.Context().Value(whoKey{}).(string)
	if name == "" {
		return "unknown"
	}
	return name
}

// userName is the name of a user id, or the number.
func userName(id int) string {
	if u, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return u.Username
	}
	return strconv.Itoa(id)
}
