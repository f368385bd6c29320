// Package signing is the issuer's key of a standalone house, as commands take it: a file, best on a stick.
package signing

import (
	"fmt"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/internal/keys"
	"gatehouse/internal/socket"
)

// Flags are what every command needs that changes the list.
type Flags struct {
	Key string `required:"" help:"The issuer's key file of gatehouse init." placeholder:"FILE"`
}

// Issuer loads the key.
func (k Flags) Issuer(s *session.Session) (issue.Issuer, error) {
	key, err := keys.LoadPrivateKey(k.Key)
	if err != nil {
		return issue.Issuer{}, socket.Hinted("--key names the file that gatehouse init wrote for this building, best on a stick", "%v", err)
	}
	return issue.Issuer{Client: s.Client, Key: key}, nil
}

// Edit changes the list and leaves a copy of it beside the key.
func (k Flags) Edit(s *session.Session, issuer issue.Issuer, change func(*grantlist.Editor) error) (control.Grants, error) {
	g, err := issuer.Edit(s.Ctx, change)
	if err == nil {
		k.Keep(s, issuer)
	}
	return g, err
}

// CopyPath is where the copy of the list lies.
func (k Flags) CopyPath() string { return k.Key + ".list" }

// Keep leaves a copy. That it can't is a remark: the list is active.
func (k Flags) Keep(s *session.Session, issuer issue.Issuer) {
	if err := issuer.Keep(s.Ctx, k.CopyPath()); err != nil {
		fmt.Fprintf(s.Err, "done, but no copy of the list could be kept beside the key: %v\n", err)
	}
}
