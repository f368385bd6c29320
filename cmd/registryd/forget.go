package main

import (
	"fmt"
	"io"

	"gatehouse/internal/amount"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/whose"
	"gatehouse/internal/socket"
)

type forgetCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Key     string `required:"" help:"records.key, on its stick." placeholder:"FILE"`
	Reason  string `required:"" help:"resident or order."`
	Case    string `required:"" help:"File number of the resident's request or the court's order." placeholder:"TEXT"`
}

// Run erases whom the entries of a tenancy name. Which entries they are is found here, with the key, and shown to nobody;
// it is written down first that it was done, by whom and why.
func (c forgetCmd) Run(s *session) error {
	key, err := keys.LoadSealKey(c.Key)
	if err != nil {
		return socket.Hinted("--key names records.key, which registryd init wrote into the offline directory", "%v", err)
	}
	if c.Tenancy, err = s.tenancyID(c.Tenancy); err != nil {
		return err
	}
	home, err := s.issuer.Forget(s.ctx, operator.Forget{Tenancy: c.Tenancy, Reason: c.Reason, Case: c.Case})
	if err != nil {
		return err
	}
	found := whose.New(key, c.Tenancy)
	if err := s.front.Seals(s.ctx, home.Building, found.Look); err != nil {
		return err
	}
	done, err := s.front.Forget(s.ctx, found.Entries())
	return s.Print(map[string]any{"building": home.Building, "erased": done.Erased, "shut": found.Shut}, err, func(w io.Writer) {
		fmt.Fprintf(w, "%s of building %s erased; its gateways keep theirs until their time is over\n", amount.Of(done.Erased, "who part"), home.Building)
		if found.Shut > 0 {
			fmt.Fprintf(w, "NOT LOOKED AT: %s that this key does not open; what was sealed before a new records key opens with the old one\n", amount.Of(found.Shut, "batch"))
		}
	})
}
