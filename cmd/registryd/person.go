package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"

	"gatehouse/internal/amount"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

type personCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Key     string `required:"" help:"records.key, on its stick." placeholder:"FILE"`
	Reason  string `required:"" help:"resident, correction, mandate or emergency."`
	Case    string `required:"" help:"Number of the request or order that asks for it." placeholder:"TEXT"`
}

// person is who a tenancy is, out of all seals that were made for it.
type person struct {
	Tenancy  string   `json:"tenancy"`
	Name     string   `json:"name"`
	Document string   `json:"document"`
	Number   string   `json:"number"`
	Holder   string   `json:"holder"`            // of the number, what does not change when the document is renewed
	Cards    []string `json:"cards"`             // bits, then the bits themselves as hex
	Missing  int      `json:"missing,omitempty"` // seals that the front has not got
}

// Run shows who a tenancy is: the only way to see a name. That it was looked
// at is written down before anything is fetched; the key never leaves this process.
func (c personCmd) Run(s *session) error {
	key, err := keys.LoadSealKey(c.Key)
	if err != nil {
		return socket.Hinted("--key names records.key, which registryd init wrote into the offline directory", "%v", err)
	}
	if c.Tenancy, err = s.tenancyID(c.Tenancy); err != nil {
		return err
	}
	at, err := s.issuer.Look(s.ctx, operator.Look{Tenancy: c.Tenancy, Reason: c.Reason, Case: c.Case})
	if err != nil {
		return err
	}
	p := person{Tenancy: c.Tenancy, Cards: []string{}}
	for _, seal := range at.Seals {
		if err := p.add(s, key, seal); err != nil {
			return err
		}
	}
	if p.Missing == len(at.Seals) {
		return socket.Hinted("it comes with the tenancy record, when the gateway is online", "the front has not got this person, or not as it was sealed")
	}
	return s.Print(p, nil, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n%s %s\n", p.Name, p.Document, p.Number)
		if p.Holder != p.Number {
			fmt.Fprintf(w, "its holder's for life: %s (the rest counts renewals)\n", p.Holder)
		}
		for _, card := range p.Cards {
			fmt.Fprintf(w, "card %s\n", card)
		}
		if p.Missing > 0 {
			fmt.Fprintf(w, "not come yet, or not as it was sealed: %d of %s\n", p.Missing, amount.Of(len(at.Seals), "seal"))
		}
	})
}

// add fetches one seal and opens it.
func (p *person) add(s *session, key []byte, seal operator.Seal) error {
	sealed, err := s.front.Person(s.ctx, seal.Hash)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(sealed); !bytes.Equal(sum[:], seal.Hash) {
		p.Missing++
		return nil
	}
	plain, err := sealing.Unseal(key, sealing.Person, seal.Address, sealed)
	if err != nil {
		return socket.Hinted("is --key the records.key of this registry? What was sealed before a new one opens with the old one", "%v", err)
	}
	var in wire.Person
	if err := wire.Decode(plain, &in); err != nil {
		return err
	}
	if in.Tenancy.String() != p.Tenancy {
		return &api.Error{Message: "the gateway sealed the person of another tenancy"}
	}
	if in.Name != "" {
		p.Name, p.Document, p.Number, p.Holder = in.Name, in.Document.String(), in.Number, idnumber.Holder(in.Document, in.Number)
	}
	for _, card := range in.Cards {
		p.Cards = append(p.Cards, fmt.Sprintf("%s %x", amount.Of(card.Bits, "bit"), card.Data))
	}
	return nil
}
