package answer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"gatehouse/internal/amount"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// Person is the person of a tenancy, from all seals that were made for it.
type Person struct {
	Tenancy  string   `json:"tenancy"`
	Name     string   `json:"name"`
	Document string   `json:"document"`
	Number   string   `json:"number"`
	Holder   string   `json:"holder"`            // the part of the number that does not change when the document is renewed
	Cards    []string `json:"cards"`             // bits, then the bits themselves as hex
	Missing  int      `json:"missing,omitempty"` // seals that the front has not got
}

// Add fetches one seal from the front and opens it with the records key.
func (p *Person) Add(ctx context.Context, front *api.Client, key []byte, seal operator.Seal) error {
	sealed, err := front.Person(ctx, seal.Hash)
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
