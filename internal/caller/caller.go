// Package caller is who asks a daemon for something: a role, and on the page of a house
// the account, as a number that tells nothing. It goes along in a context, and stands in
// the entry of what was done.
//
// It refuses names: an entry tells which account did it, and only the page knows whose
// that is.
package caller

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Role is what somebody may ask for.
type Role string

// Roles. What each may ask for stands in docs/refusals.md.
const (
	Operator  Role = "operator"  // has the machine: the tool, by whoever may use the socket
	Owner     Role = "owner"     // the landlord, on the page
	Helper    Role = "helper"    // who checks in and out for the landlord
	Installer Role = "installer" // who sets the house up; ends at the handover
	Resident  Role = "resident"  // on the page of the door's sticker
	Page      Role = "page"      // the page by itself, for nobody
)

var roles = []Role{Operator, Owner, Helper, Installer, Resident, Page}

// Caller is who asks. The zero value is nobody: the gateway does it by itself.
type Caller struct {
	Role    Role
	Account uint32 // 0: of none
}

// String is the role, with the account's number behind it: "operator", "owner-402117".
// It is a name of package wire, and empty for nobody.
func (c Caller) String() string {
	if c.Account == 0 {
		return string(c.Role)
	}
	return fmt.Sprintf("%s-%d", c.Role, c.Account)
}

// Parse reads what String makes, and refuses all else.
func Parse(s string) (Caller, error) {
	role, number, some := strings.Cut(s, "-")
	c := Caller{Role: Role(role)}
	if some {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return Caller{}, fmt.Errorf("caller %q: number of the account: %w", s, err)
		}
		c.Account = uint32(n)
	}
	if !slices.Contains(roles, c.Role) || c.String() != s {
		return Caller{}, fmt.Errorf("caller %q: no such role, or not as it is written", s)
	}
	return c, nil
}

type key struct{}

// With is a context for what somebody asks.
func With(ctx context.Context, c Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// Of is who asks by a context; the zero value: nobody.
func Of(ctx context.Context) Caller {
	c, _ := ctx.Value(key{}).(Caller)
	return c
}
