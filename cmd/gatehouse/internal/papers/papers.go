// Package papers has the commands gatehouse mandate: an officer fills in a form, an approver signs it,
// and anybody can read and judge it. They need no daemon and no network. They refuse to sign what a
// gateway would refuse, and never print a name: officers are badge numbers and keys.
package papers

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/keys"
	"gatehouse/internal/mandate"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// Most bytes that are read of a form and of a trust document.
const (
	mostForm  = 256 << 10
	mostTrust = wire.MaxMessage
)

// trusted is the trust document that a mandate is judged by.
type trusted struct {
	Trust string `help:"The trust document of the registry, trust.cose." placeholder:"FILE"`
	Root  string `help:"The root's public key, root.pub, that the trust document is checked by." placeholder:"FILE"`
}

// load returns the document; nil: none was given. The registry is whose it must be; empty: whose it is.
func (t trusted) load(s *session.Session, registry string) (*wire.Trust, error) {
	if t.Trust == "" && t.Root == "" {
		return nil, nil
	}
	if t.Trust == "" || t.Root == "" {
		return nil, socket.Hinted("both stand in a gateway's directory of keys, and at the registry", "--trust and --root go together")
	}
	root, err := keys.LoadRoot(t.Root)
	if err != nil {
		return nil, err
	}
	envelope, err := command.ReadFile(s.Ctx, t.Trust, mostTrust, "--trust 写明登记中心的 trust.cose，网关的密钥目录里也有；--trust names trust.cose of the registry, which a gateway has in its directory of keys, too")
	if err != nil {
		return nil, err
	}
	if registry == "" {
		_, says, _ := wire.Read(envelope) // proved below
		registry = says.Address
	}
	document, err := keys.OpenTrust(envelope, root, registry)
	if err != nil {
		return nil, socket.Hinted("take trust.cose and root.pub of the registry that the mandate names", "%v", err)
	}
	return &document, nil
}

// formHint says which file is wanted where a mandate is, signed or not.
const formHint = "写明 gatehouse mandate new --out 写出的表格，或者 gatehouse mandate sign --out 写出的调取令；name the form, which gatehouse mandate new --out wrote, or the mandate, which gatehouse mandate sign --out wrote"

// paper is a mandate as it was read from a file.
type paper struct {
	mandate  mandate.Mandate
	registry string
	zone     *time.Location // of its times, as a form has them; what is signed has none, and this machine's is taken
	numbered bool           // false: the form has no reference yet
	envelope []byte         // nil: nobody has signed it
	signer   wire.KeyID     // as the envelope says; nothing is proved by it
}

// read reads a signed mandate, or a form that nobody has signed.
func read(s *session.Session, path string) (p paper, err error) {
	raw, err := command.ReadFile(s.Ctx, path, mostForm, formHint)
	if err != nil {
		return p, err
	}
	p, signed, err := readSigned(raw)
	if err != nil || signed {
		return p, err
	}
	f, err := parse(raw)
	if err != nil {
		return p, err
	}
	p.mandate, err = filled(f)
	p.registry, p.numbered, p.zone = f.Registry, f.Reference != "", f.From.Location()
	return p, err
}

// readSigned reads a signed mandate; not signed: the file is something else.
func readSigned(raw []byte) (p paper, signed bool, err error) {
	payload, protected, err := wire.Read(raw)
	if err != nil || protected.Type != mandates.Type {
		return p, false, nil
	}
	p = paper{registry: protected.Address, zone: time.Local, numbered: true, envelope: raw, signer: protected.KeyID}
	if p.mandate, err = mandates.Decode(payload); err != nil {
		err = socket.Hinted("make it anew with gatehouse mandate new", "%v", err)
	}
	return p, true, err
}

func parse(raw []byte) (mandate.Form, error) {
	f, err := mandate.ParseForm(raw)
	switch {
	case errors.Is(err, mandate.ErrNotUTF8):
		return f, socket.Hinted("用记事本打开，另存为，编码选 UTF-8；open it in the editor and save it as UTF-8", "既不是已签名的调取令，也不是表格 neither a signed mandate nor a form: %v", err)
	case err != nil:
		return f, socket.Hinted("gatehouse mandate new 逐项提问并写出这样的文件 gatehouse mandate new asks for the fields and writes such a file", "既不是已签名的调取令，也不是表格 neither a signed mandate nor a form: %v", err)
	}
	return f, nil
}

// saidNo shows a refusal where a command can't go on.
func saidNo(r *mandate.Refusal) error {
	return socket.Hinted(r.Do.ZH+" "+r.Do.EN, "%s (%s): %v", r.Name, r.Article.EN, r)
}

// publicKey reads the file beside a key.
func publicKey(path string) (ed25519.PublicKey, error) {
	public, err := keys.LoadPublic(path)
	if err != nil {
		return nil, socket.Hinted("gatehouse mandate key makes FILE and FILE.pub; this wants FILE.pub", "%v", err)
	}
	return public, nil
}

func idText(id wire.KeyID) string { return fmt.Sprintf("%x", id[:]) }

// filled returns what a form says, signed now where it names no time.
func filled(f mandate.Form) (mandate.Mandate, error) {
	m, err := f.Mandate(time.Now())
	var refusal *mandate.Refusal
	if errors.As(err, &refusal) {
		return m, saidNo(refusal)
	}
	var wrong command.Faults
	wrong.Unless(wire.ValidName(f.Registry, false), "名称见 registryd trust show；registryd trust show says how the registry is called", "registry: 不是登记中心的名称 no id of a registry")
	if err != nil {
		for field := range strings.Lines(err.Error()) { // one a line
			wrong.Unless(false, "表格各项见 docs/mandate.md；docs/mandate.md has the form, field by field", "%s", strings.TrimSpace(field))
		}
	}
	return m, wrong.Err()
}
