package papers

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/query"
	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/holds"
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
	o, wrong := c.order(time.Now())
	by := c.papers(s, &wrong)
	if err := wrong.Err(); err != nil {
		return ordered{}, err
	}
	o.Certificate = by.certificate
	now := int64(o.Signed)
	if refusal := holds.Examine(holds.Taken{Order: o, Officer: by.officer}, holds.Question{Now: trueclock.Interval{Sure: now, Lo: now, Hi: now}}); refusal != nil {
		return ordered{}, saidNo(refusal)
	}
	envelope, err := o.Sign(by.registry, by.key)
	if err != nil {
		return ordered{}, socket.Hinted(signingFailed, "%v", err)
	}
	if _, err := by.officer.Open(envelope, by.registry); err != nil {
		return ordered{}, socket.Hinted("--public 与签名的密钥是一对吗？does --public belong to the key that signed?", "签名不对，什么都没有写 the signature does not hold: nothing is written")
	}
	if by.trust != nil {
		if _, refusal := holds.Open(envelope, *by.trust); refusal != nil {
			return ordered{}, saidNo(refusal)
		}
	}
	from, _ := moment(c.From) // in the zone that each is written with
	to, _ := moment(c.To)
	return ordered{c.Out, o.Reference.String(), o.Gateway, o.Door, from, to}, save(c.Out, envelope)
}

// signatory is who signs an order, as their files say.
type signatory struct {
	certificate []byte
	officer     mandates.Certificate
	registry    string
	trust       *wire.Trust // nil: none was given
	key         crypto.Signer
}

// papers reads the files of who signs, and tries the one that is to be written.
func (c preserveCmd) papers(s *session.Session, wrong *command.Faults) (by signatory) {
	var err error
	if c.Officer != "" {
		by.certificate, err = s.Paper(c.Officer, enrolHint)
		wrong.Add(err)
	}
	if err == nil && c.Officer != "" {
		if by.officer, by.registry, err = mandates.ReadCertificate(by.certificate); err != nil {
			wrong.Add(noCertificate(c.Officer))
		}
	}
	by.trust, err = c.load(s, by.registry)
	wrong.Add(err)
	if by.key, err = signing(c.officerKey).signer(s); err != nil {
		wrong.Add(err)
	} else if by.registry != "" {
		wrong.Unless(bytes.Equal(by.key.Public().(ed25519.PublicKey), by.officer.Public[:]), "须是同一人的 --officer 和 --key；--officer FILE and --key FILE of the same officer",
			"证书属于另一把密钥 the certificate %s is of another key", c.Officer)
	}
	if c.Out != "" {
		wrong.Add(command.NewFile("--out", c.Out))
	}
	return by
}

// signingFailed is what to do where a signing program fails.
const signingFailed = "看签名程序的提示 see what the program of --sign-with said: 64 bytes of a signature on standard output, and exit code 0"

// moment is a time of the command line, in the zone that it is written with.
func moment(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text) // with its zone: that of this machine may be another than the house's
	if unix := at.Unix(); err != nil || unix <= 0 || unix > 1<<32-1 {
		return at, socket.Hinted("连同时区写 write it with its zone: 2026-01-31T08:00:00+08:00", "不是带时区的时间 no time with a zone: %q", text)
	}
	return at, nil
}

// Faults are what is wrong with the arguments, but for the files that they name.
func (c preserveCmd) Faults() command.Faults {
	_, wrong := c.order(time.Now())
	return wrong
}

// order is what the officer signs now, but for the certificate.
func (c preserveCmd) order(now time.Time) (o mandates.Order, wrong command.Faults) {
	const names = "门的名称用小写字母、数字和连字符，楼里的人用 gatehouse status 能看到，登记中心也知道；names have a-z, 0-9 and -, as front: gatehouse status in the house shows them, and the registry's operator knows them"
	o = mandates.Order{Gateway: c.Gateway, Door: c.Door, Case: c.Case, Signed: uint32(now.Unix())}
	rand.Read(o.Reference[:]) // never fails: it ends the program instead
	if wrong.Need("--gateway", c.Gateway) {
		wrong.Unless(strings.Count(c.Gateway, "/") == 1 && wire.ValidAddress(c.Gateway), names, "--gateway %q: 楼栋/网关 BUILDING/GATEWAY", c.Gateway)
	}
	if wrong.Need("--door", c.Door) {
		wrong.Unless(wire.ValidName(c.Door, false), names, "--door %q: 不是门的名称 no name of a door", c.Door)
	}
	for _, one := range []struct {
		flag, text string
		into       *uint32
	}{{"--from", c.From, &o.From}, {"--to", c.To, &o.Until}} {
		if !wrong.Need(one.flag, one.text) {
			continue
		}
		at, err := moment(one.text)
		wrong.Add(err)
		if err == nil {
			*one.into = uint32(at.Unix())
		}
	}
	wrong.Unless(o.From == 0 || o.Until == 0 || o.From < o.Until, "--to 须晚于 --from；--to is later than --from", "--from, --to: 时间段是空的 the span is empty")
	if wrong.Need("--case", c.Case) {
		wrong.Unless(wire.ValidText(c.Case), "案号最多 64 字 64 characters at most", "--case: 太长，或者有不能显示的字符 too long, or with what can't be printed")
	}
	for _, one := range []struct{ flag, text string }{{"--officer", c.Officer}, {"--out", c.Out}} {
		wrong.Need(one.flag, one.text)
	}
	return o, wrong
}
