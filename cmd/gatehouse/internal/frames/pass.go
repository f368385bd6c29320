package frames

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/input"
	"gatehouse/internal/keys"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

type decodePassCmd struct {
	Trust string `help:"Check signatures by the issuers of this trust document: trust.cose of a gateway's or registry's directory." placeholder:"FILE" xor:"by"`
	Root  string `help:"The root's public key; if not given, root.pub beside --trust." placeholder:"FILE"`
	Key   string `help:"Check signatures by this public key of an issuer: keys/issuer.pub in the state directory of a standalone house." placeholder:"FILE" xor:"by"`
}

// decodedPass is one decoded pass. Everything but Error is null where the text is no pass.
type decodedPass struct {
	Type      *string    `json:"type"`
	Building  *string    `json:"building"`
	Tenancy   *string    `json:"tenancy"`
	ID        *string    `json:"id"`
	From      *time.Time `json:"from"`
	Until     *time.Time `json:"until"`     // exclusive
	Issuer    *string    `json:"issuer"`    // id of the key
	Epoch     *uint64    `json:"epoch"`     // of the key
	Signature *string    `json:"signature"` // good, bad or not checked
	Error     *string    `json:"error"`
}

// Run prints passes. It shows what a pass says, not whether it opens: the gateway decides that by
// the time, the grants, and the used passes.
func (c decodePassCmd) Run(s *session.Session) error {
	keys, err := input.Until(s.Ctx, c.issuers) // their files may be pipes
	if err != nil {
		return err
	}
	return eachLine(s, func(line string) any { return decodePass(line, keys) })
}

// issuers returns the keys to verify with; nil: nothing is verified.
func (c decodePassCmd) issuers() ([]wire.Key, error) {
	switch {
	case c.Key != "":
		return keys.LoadIssuers(c.Key)
	case c.Trust == "":
		return nil, nil
	case c.Root == "":
		c.Root = filepath.Join(filepath.Dir(c.Trust), keys.RootFile)
	}
	root, err := keys.LoadRoot(c.Root)
	if err != nil {
		return nil, socket.Hinted("--root names the root's public key, which signs the trust document", "%v", err)
	}
	envelope, err := os.ReadFile(c.Trust)
	if err != nil {
		return nil, err
	}
	payload, err := wire.PayloadOf(envelope)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Trust, err)
	}
	var says wire.Trust // only for the registry's id, which the signature then proves
	if err := wire.Decode(payload, &says); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Trust, err)
	}
	trust, err := keys.OpenTrust(envelope, root, says.Registry)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Trust, err)
	}
	return append([]wire.Key{}, trust.Keyset(wire.RoleIssuer)...), nil
}

func decodePass(text string, keys []wire.Key) decodedPass {
	p, h, err := qrpass.Read(text)
	if err != nil {
		return decodedPass{Error: new(err.Error())}
	}
	d := decodedPass{Type: new(h.Type), Building: new(h.Address), Tenancy: new(p.Tenancy.String()), ID: new(p.ID.String()),
		From: new(time.Unix(int64(p.From), 0).UTC()), Until: new(time.Unix(int64(p.Until), 0).UTC()),
		Issuer: new(fmt.Sprintf("%x", h.KeyID)), Epoch: new(h.Epoch), Signature: new("not checked")}
	if keys == nil {
		return d
	}
	d.Signature = new("good")
	if _, err := qrpass.Open(text, h.Address, keys); err != nil {
		d.Signature, d.Error = new("bad"), new(err.Error())
	}
	return d
}
