package papers

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/mandate"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
)

type validateCmd struct {
	Mandate   string `arg:"" help:"The signed mandate of an emergency, the very file that was answered."`
	Out       string `required:"" help:"New file for the validation, which goes to the registry." placeholder:"FILE"`
	Authority string `required:"" help:"The validating authority, another than the issuing one." placeholder:"NAME"`
	File      string `required:"" help:"Number of its file." placeholder:"NUMBER"`
	signing
	trusted
}

// validated is the answer of `mandate validate`.
type validated struct {
	File      string `json:"file"`
	Reference string `json:"reference"` // of the mandate
	Approver  string `json:"approver"`  // id of the key
}

// Run signs what the registry would take, and nothing else.
func (c validateCmd) Run(s *session.Session) error {
	done, err := c.sign(s)
	return s.Print(done, err, func(w io.Writer) {
		fmt.Fprintf(w, "已审核 validated: %s\n编号 reference: %s\n审批人 approver: %s\n交登记中心登记 hand it in at the registry: registryd mandate validate %s\n", done.File, done.Reference, done.Approver, done.File)
	})
}

func (c validateCmd) sign(s *session.Session) (validated, error) {
	p, err := read(s, c.Mandate)
	if err != nil {
		return validated{}, err
	}
	if p.envelope == nil {
		return validated{}, socket.Hinted("name the file that gatehouse mandate sign wrote", "%s is a form that nobody has signed", c.Mandate)
	}
	trust, err := c.load(s, p.registry)
	if err != nil {
		return validated{}, err
	}
	signer, err := c.signer(s)
	if err != nil {
		return validated{}, err
	}
	by := signer.Public().(ed25519.PublicKey)
	v := mandates.Validation{Reference: p.mandate.Reference, Mandate: sha256.Sum256(p.envelope), By: mandates.Authority{Name: c.Authority, File: c.File}}
	envelope, err := v.Sign(p.registry, signer)
	if err != nil {
		return validated{}, socket.Hinted("--authority and --file; see also what the signing program said", "%v", err)
	}
	if trust == nil { // the approver's town is not known: the registry judges it
		r := p.mandate.Request
		trust = &wire.Trust{Registry: p.registry, Approvers: []approver.Approver{{Public: [32]byte(by), District: r.District, Town: r.Town}}}
	} else if _, refusal := mandate.Open(p.envelope, *trust); refusal != nil {
		return validated{}, saidNo(refusal)
	}
	if _, refusal := mandate.Validates(envelope, p.envelope, *trust); refusal != nil {
		return validated{}, saidNo(refusal)
	}
	return validated{c.Out, v.Reference.String(), idText(wire.IDOf(by))}, save(c.Out, envelope)
}
