package papers

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/mandate"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
)

type signCmd struct {
	Form string `arg:"" help:"The filled-in mandate, as gatehouse mandate new writes it; with --withdraw the signed one."`
	Out  string `required:"" help:"New file for the signed mandate." placeholder:"FILE"`
	signing
	Officer  []string `help:"Certificates of the two officers: then each must show one." placeholder:"FILE"`
	Withdraw string   `help:"Sign that the mandate is withdrawn, and why." placeholder:"WHY"`
	trusted
}

// signing names the approver's key, wherever it is.
type signing struct {
	Key      string `help:"The approver's key file." placeholder:"FILE" xor:"key"`
	SignWith string `help:"Program that signs instead, as for a key in a token: it gets the bytes on standard input and answers with the 64 bytes of an Ed25519 signature. Words are split at spaces; no shell." placeholder:"CMD" xor:"key"`
	Public   string `help:"The approver's public key, with --sign-with." placeholder:"FILE"`
}

// signed is the answer of `mandate sign`.
type signed struct {
	File      string    `json:"file"`
	Reference string    `json:"reference"`
	Approver  string    `json:"approver"` // id of the key
	Seat      string    `json:"seat,omitempty"`
	Everybody everybody `json:"everybody"`
}

// Run signs what a gateway would take, and nothing else.
func (c signCmd) Run(s *session.Session) error {
	done, err := c.sign(s)
	return s.Print(done, err, func(w io.Writer) {
		fmt.Fprint(w, done.Everybody)
		fmt.Fprintf(w, "已签发 signed: %s\n编号 reference: %s\n审批人 approver: %s %s\n", done.File, done.Reference, done.Approver, done.Seat)
	})
}

func (c signCmd) sign(s *session.Session) (signed, error) {
	form, err := c.form(s)
	if err != nil {
		return signed{}, err
	}
	m, err := filled(form)
	if err != nil {
		return signed{}, err
	}
	signer, err := c.signer(s)
	if err != nil {
		return signed{}, err
	}
	by, err := c.examine(s, form, m, signer.Public().(ed25519.PublicKey))
	if err != nil {
		return signed{}, err
	}
	envelope, err := mandates.Sign(m, form.Registry, signer)
	if err != nil {
		return signed{}, socket.Hinted("看签名程序的提示 see what the program of --sign-with said: 64 bytes of a signature on standard output, and exit code 0", "%v", err)
	}
	if err := c.prove(envelope, form.Registry, signer.Public().(ed25519.PublicKey)); err != nil {
		return signed{}, err
	}
	return signed{c.Out, m.Reference.String(), idText(wire.IDOf(by.Public[:])), by.Seat, everybody(!m.Request.Named())}, save(c.Out, envelope)
}

// form is what is to be signed. A signed mandate is signed again to withdraw it, and for nothing else.
func (c signCmd) form(s *session.Session) (form mandate.Form, err error) {
	raw, err := command.ReadFile(s.Ctx, c.Form, mostForm, formHint)
	if err != nil {
		return form, err
	}
	p, signed, err := readSigned(raw)
	switch {
	case err != nil:
	case !signed:
		form, err = parse(raw)
	case c.Withdraw == "":
		err = socket.Hinted("要撤回的，写明 --withdraw 理由 to take it back: --withdraw WHY", "%s 已经签名 is signed already", c.Form)
	default:
		form = mandate.FormOf(p.mandate, p.registry)
	}
	if c.Withdraw != "" {
		form.Withdrawn = c.Withdraw
	}
	return form, err
}

// signer is the key.
func (c signing) signer(s *session.Session) (crypto.Signer, error) {
	switch {
	case c.Key != "":
		key, err := keys.LoadPrivateKey(c.Key)
		if err != nil {
			return nil, socket.Hinted("--key names a file that gatehouse mandate key made", "%v", err)
		}
		return key, nil
	case c.SignWith == "":
		return nil, socket.Hinted("--key FILE, or --sign-with CMD and --public FILE for a token", "no key to sign with")
	case c.Public == "":
		return nil, socket.Hinted("--public FILE.pub says which key is in the token", "--sign-with needs the public key")
	}
	public, err := publicKey(c.Public)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(c.SignWith)
	if len(words) == 0 {
		return nil, socket.Hinted("--sign-with \"pkcs11-tool …\"", "no program to sign with")
	}
	return token{s.Ctx, words, public, s.Err}, nil
}

// examine refuses what a gateway would refuse. Without a trust document the approver's town is not known.
func (c signCmd) examine(s *session.Session, form mandate.Form, m mandate.Mandate, public ed25519.PublicKey) (approver.Approver, error) {
	trust, err := c.load(s, form.Registry)
	if err != nil {
		return approver.Approver{}, err
	}
	by := approver.Approver{Public: [32]byte(public)}
	if trust != nil {
		var refusal *mandate.Refusal
		if by, refusal = mandate.Certified(*trust, public); refusal != nil {
			return by, saidNo(refusal)
		}
	}
	if m.Status == mandates.Withdrawn {
		return by, nil // it allows nothing
	}
	if err := enrolled(s, m, c.Officer, trust, time.Now()); err != nil {
		return by, err
	}
	if refusal := mandate.Examine(m, by); refusal != nil {
		return by, saidNo(refusal)
	}
	if refusal := mandate.Ended(m, time.Now().Unix()); refusal != nil {
		return by, saidNo(refusal)
	}
	return by, nil
}

// prove checks the signature, since a token may hold another key.
func (c signCmd) prove(envelope []byte, registry string, public ed25519.PublicKey) error {
	alone := wire.Trust{Registry: registry, Approvers: []approver.Approver{{Public: [32]byte(public)}}}
	if _, refusal := mandate.Open(envelope, alone); refusal != nil {
		return socket.Hinted("does --public belong to the key that signed?", "the signature does not hold: nothing is written")
	}
	return nil
}

// token signs by a program. It is a crypto.Signer of Ed25519, which signs messages and no digests.
type token struct {
	ctx     context.Context
	command []string
	public  ed25519.PublicKey
	talk    io.Writer // the program's standard error, where it may ask for a PIN
}

func (t token) Public() crypto.PublicKey { return t.public }

func (t token) Sign(_ io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	cmd := exec.CommandContext(t.ctx, t.command[0], t.command[1:]...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(message), t.talk
	signature, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.command[0], err)
	}
	if len(signature) != ed25519.SignatureSize {
		return nil, fmt.Errorf("%s answered with %d bytes: the bare signature has %d", t.command[0], len(signature), ed25519.SignatureSize)
	}
	return signature, nil
}

// save writes a new file, and never over another.
func save(path string, content []byte) error {
	if err := command.NewFile("--out", path); err != nil {
		return err
	}
	return durable.WriteFile(path, content, 0o600) // case and flats are nobody else's
}
