package papers

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"gatehouse/cmd/gatehouse/internal/query"
	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/holds"
	"gatehouse/internal/input"
	"gatehouse/internal/socket"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// Preserve is the command of an officer who comes before there is a mandate.
type Preserve struct {
	Sign preserveCmd    `cmd:"" help:"Sign an order to preserve 24 hours of one door's log at most, with an enrolled officer's key; works without the daemon."`
	Ask  query.Preserve `cmd:"" default:"withargs" help:"Show a signed order to the gateway: nothing of its span is erased for a week. It shows nothing of the log."`
}

type preserveCmd struct {
	Gateway string `required:"" help:"Address of the gateway: BUILDING/GATEWAY." placeholder:"ADDRESS"`
	Door    string `required:"" help:"One door."`
	From    string `required:"" help:"From this time on: 2026-01-31T08:00:00+08:00." placeholder:"TIME"`
	To      string `required:"" help:"Until this time, 24 hours later at most." placeholder:"TIME"`
	Case    string `required:"" help:"Case number." placeholder:"NUMBER"`
	Officer string `required:"" help:"The officer's certificate, as registryd officer add wrote it." placeholder:"FILE"`
	Out     string `required:"" help:"New file for the signed order." placeholder:"FILE"`
	officerKey
	trusted
}

// officerKey names the officer's key, wherever it is.
type officerKey struct {
	Key      string `help:"The officer's key file." placeholder:"FILE" xor:"key"`
	SignWith string `help:"Program that signs instead, as for a key in a token: it gets the bytes on standard input and answers with the 64 bytes of an Ed25519 signature. Words are split at spaces; no shell." placeholder:"CMD" xor:"key"`
	Public   string `help:"The officer's public key, with --sign-with." placeholder:"FILE"`
}

// ordered is the answer of `preserve sign`.
type ordered struct {
	File      string    `json:"file"`
	Reference string    `json:"reference"`
	Gateway   string    `json:"gateway"`
	Door      string    `json:"door"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
}

// Run signs what a gateway would take, as far as that is known here.
func (c preserveCmd) Run(s *session.Session) error {
	done, err := c.sign(s)
	return s.Print(done, err, func(w io.Writer) {
		fmt.Fprintf(w, "已签名 signed: %s\n编号 reference: %s\n%s %s %s – %s\n三天内提交 show it within three days: gatehouse preserve %s; registryd preserve %s\n", done.File, done.Reference,
			done.Gateway, done.Door, session.Local(done.From), session.Local(done.To), done.File, done.File)
	})
}

func (c preserveCmd) sign(s *session.Session) (ordered, error) {
	certificate, err := input.ReadFile(s.Ctx, c.Officer, wire.MaxMessage)
	if err != nil {
		return ordered{}, err
	}
	officer, registry, err := mandates.ReadCertificate(certificate)
	if err != nil {
		return ordered{}, noCertificate(c.Officer)
	}
	trust, err := c.load(s, registry)
	if err != nil {
		return ordered{}, err
	}
	signer, err := signing(c.officerKey).signer(s)
	if err != nil {
		return ordered{}, err
	}
	if !bytes.Equal(signer.Public().(ed25519.PublicKey), officer.Public[:]) {
		return ordered{}, socket.Hinted("--officer FILE and --key FILE of the same officer", "the certificate %s is of another key", c.Officer)
	}
	o, err := c.order(certificate, time.Now())
	if err != nil {
		return ordered{}, err
	}
	now := int64(o.Signed)
	if refusal := holds.Examine(holds.Taken{Order: o, Officer: officer}, holds.Question{Now: trueclock.Interval{Sure: now, Lo: now, Hi: now}}); refusal != nil {
		return ordered{}, saidNo(refusal)
	}
	envelope, err := o.Sign(registry, signer)
	if err != nil {
		return ordered{}, unsigned(err)
	}
	if _, err := officer.Open(envelope, registry); err != nil {
		return ordered{}, socket.Hinted("does --public belong to the key that signed?", "the signature does not hold: nothing is written")
	}
	if trust != nil {
		if _, refusal := holds.Open(envelope, *trust); refusal != nil {
			return ordered{}, saidNo(refusal)
		}
	}
	return ordered{c.Out, o.Reference.String(), o.Gateway, o.Door, moment(c.From), moment(c.To)}, save(c.Out, envelope)
}

// unsigned says what is wrong with an order that can't be signed, or that the signing program was.
func unsigned(err error) error {
	if !errors.Is(err, wire.ErrMalformed) {
		return socket.Hinted("看签名程序的提示 see what the program of --sign-with said: 64 bytes of a signature on standard output, and exit code 0", "%v", err)
	}
	return socket.Hinted("门的名称用小写字母、数字和连字符，楼里的人用 gatehouse status 能看到，登记中心也知道；--from 早于 --to；案号最多 64 字 "+
		"names have a-z, 0-9 and -, as front: gatehouse status in the house shows them, and the registry's operator knows them; --from before --to; a case number of 64 characters at most",
		"楼栋、网关、门、时间段或案号不对 building, gateway, door, span or case number is not in order: --gateway BUILDING/GATEWAY --door DOOR")
}

// moment is a time of the command line, in the zone that it is written with; order has refused what is none.
func moment(text string) time.Time {
	at, _ := time.Parse(time.RFC3339, text)
	return at
}

// order is what the officer signs now.
func (c preserveCmd) order(certificate []byte, now time.Time) (o mandates.Order, err error) {
	o = mandates.Order{Gateway: c.Gateway, Door: c.Door, Case: c.Case, Signed: uint32(now.Unix()), Certificate: certificate}
	rand.Read(o.Reference[:]) // never fails: it ends the program instead
	for _, one := range []struct {
		text string
		into *uint32
	}{{c.From, &o.From}, {c.To, &o.Until}} {
		at, err := time.Parse(time.RFC3339, one.text) // with its zone: that of this machine may be another than the house's
		if unix := at.Unix(); err != nil || unix <= 0 || unix > 1<<32-1 {
			return o, socket.Hinted("连同时区写 write it with its zone: 2026-01-31T08:00:00+08:00", "不是带时区的时间 no time with a zone: %q", one.text)
		}
		*one.into = uint32(at.Unix())
	}
	return o, nil
}
