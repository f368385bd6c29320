// Package answer is the command of registryd that answers a mandate, and how a person's seals are opened.
// It writes nothing but what the mandate's recipient alone can open, and prints nobody's name.
package answer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/evidence"
	"gatehouse/internal/input"
	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/unsealing"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// Session is the environment of the command.
type Session struct {
	command.Console
	Ctx     context.Context
	Front   *api.Client
	Issuer  *operator.Client
	Version string
	Zone    func(building string) (*time.Location, error) // of the building, as its gateways say
}

// Query answers a mandate.
type Query struct {
	Mandate string   `arg:"" help:"The mandate, as its approver has signed it."`
	Key     []string `required:"" help:"records.key, on its stick; again for the one before it, which opens what is older." placeholder:"FILE"`
	Out     string   `required:"" help:"Directory for the sealed answer." placeholder:"DIR"`
	Gateway string   `help:"Only of this gateway of those that the mandate names." placeholder:"ID"`
	Again   int      `help:"Give the answer of this number once more: nothing is counted." placeholder:"N"`
}

// answered is what was made of one gateway's log.
type answered struct {
	api.Place
	Number    int              `json:"number,omitempty"`
	Refusal   *mandate.Refusal `json:"refusal,omitempty"`
	Uncertain bool             `json:"uncertain,omitempty"` // the clock can't tell whether the mandate is valid
	Files     []sealedFile     `json:"files"`
	Left      []api.LeftOut    `json:"left"`
}

// sealedFile is a file that only the recipient opens.
type sealedFile struct {
	Path    string    `json:"path"`
	SHA256  wire.Hash `json:"sha256"` // of what is inside
	Entries uint64    `json:"entries,omitempty"`
	Named   uint64    `json:"named,omitempty"`
	Other   int       `json:"other,omitempty"` // entries whose seals hold something else than the log hashed
}

// question is a mandate that is being answered.
type question struct {
	Query
	*Session
	envelope []byte
	mandate  mandates.Mandate
	records  [][]byte
	flats    map[wire.ID]bool
}

// mostMandate is more than any mandate has, in bytes.
const mostMandate = 64 << 10

// Run answers a mandate from what the registry has. The records key and what it opens never leave
// this process but sealed to the mandate's recipient.
func (c Query) Run(s *Session) error {
	q := question{Query: c, Session: s}
	if err := q.read(); err != nil {
		return err
	}
	var all []answered
	for _, g := range q.mandate.Request.Gateways {
		if c.Gateway != "" && c.Gateway != g.ID {
			continue
		}
		a, err := q.answer(g.ID)
		if err != nil {
			return err
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return socket.Hinted("gatehouse mandate show prints the gateways", "the mandate names no gateway %q", c.Gateway)
	}
	err := s.Print(all, nil, func(w io.Writer) {
		for _, a := range all {
			a.write(w)
		}
	})
	for _, a := range all {
		if a.Refusal != nil && err == nil {
			err = socket.Hinted(a.Refusal.Do.ZH+" "+a.Refusal.Do.EN, "%s: the mandate is refused: %s", a.Address(), a.Refusal.Name)
		}
	}
	return err
}

// read reads mandate and key, and which tenancies the flats had.
func (q *question) read() (err error) {
	if q.records, err = Keys(q.Ctx, q.Front, q.Key...); err != nil {
		return err
	}
	if q.envelope, err = input.ReadFile(q.Ctx, q.Query.Mandate, mostMandate); err != nil {
		return err
	}
	payload, _, err := wire.Read(q.envelope)
	if err == nil {
		q.mandate, err = mandates.Decode(payload)
	}
	if err != nil {
		return socket.Hinted("gatehouse mandate sign makes one", "%s is no signed mandate: %v", q.Query.Mandate, err)
	}
	r := q.mandate.Request
	if r.InHand && len(r.Flats)+len(r.Cards)+len(r.Tenancies) == 0 {
		return socket.Hinted("gatehouse query in the building waits for the card", "the mandate asks for a card that is held to a reader, and here is none")
	}
	if err := os.MkdirAll(q.Out, 0o700); err != nil {
		return err
	}
	return q.readFlats()
}

// readFlats reads which tenancies the flats of the mandate ever had.
func (q *question) readFlats() error {
	q.flats = map[wire.ID]bool{}
	if len(q.mandate.Request.Flats) == 0 {
		return nil
	}
	all, err := q.Issuer.Tenancies(q.Ctx, q.mandate.Request.Building)
	if err != nil {
		return err
	}
	for _, flat := range q.mandate.Request.Flats {
		before := len(q.flats)
		for _, t := range all {
			var id wire.ID
			if t.Flat == flat && id.UnmarshalText([]byte(t.ID)) == nil {
				q.flats[id] = true
			}
		}
		if len(q.flats) == before {
			return socket.Hinted("registryd tenancies --building "+q.mandate.Request.Building+" shows the flats that have or had one; the mandate must name them as they stand there",
				"no tenancy of flat %q was ever registered", flat)
		}
	}
	return nil
}

// answer answers for one gateway.
func (q *question) answer(gateway string) (a answered, err error) {
	d, err := q.Front.Mandated().Disclose(q.Ctx, api.Asked{Mandate: q.envelope, Gateway: gateway, Again: q.Again})
	a = answered{Place: d.Place, Number: d.Number, Refusal: d.Refusal, Uncertain: d.Uncertain, Left: d.Left, Files: []sealedFile{}}
	if err != nil || d.Refusal != nil {
		a.Place = api.Place{Building: q.mandate.Request.Building, Gateway: gateway}
		return a, err
	}
	zone, err := q.Zone(d.Place.Building)
	if err != nil {
		return a, err
	}
	named := map[wire.ID]bool{}
	for _, l := range d.Logs {
		o, err := q.open(d, l, zone)
		if err == nil && len(o.Lost) > 0 {
			err = socket.Hinted(fmt.Sprintf("give the records key of before, too: --key FILE --key OLD; this answer is counted: --again %d", d.Number),
				"%s of %s were sealed to another records key", amount.Of(len(o.Lost), "entry"), d.Place.Address())
		}
		if err != nil {
			return a, err
		}
		f, err := q.evidence(d, l, o)
		if err != nil {
			return a, err
		}
		a.Files = append(a.Files, f)
		for _, id := range o.Tenancies {
			named[id] = true
		}
	}
	if len(named) > 0 {
		f, err := q.names(d, named)
		if err != nil {
			return a, fmt.Errorf("the entries are in %s, but not the names: %w", q.Out, err)
		}
		a.Files = append(a.Files, f)
	}
	return a, nil
}

// open opens the entries of one log with the records key.
func (q *question) open(d api.Disclosed, l api.DisclosedLog, zone *time.Location) (unsealing.Opened, error) {
	var batches []api.SealedBatch
	err := q.Front.Mandated().Batches(q.Ctx, d, l.Epoch, func(b api.SealedBatch) error {
		batches = append(batches, b)
		return nil
	})
	if err != nil {
		return unsealing.Opened{}, err
	}
	name := zone.String()
	if name == "Local" {
		name = "UTC"
	}
	a := unsealing.Answer{Disclosed: d, Log: l, Mandate: q.mandate, Envelope: q.envelope, Tenancies: q.flats, Records: q.records, Zone: name,
		Software: "registryd " + q.Version}
	return a.Open(batches, witness{q: q, of: api.ToSign{Reference: d.Reference, Number: d.Number, Place: d.Place, Epoch: l.Epoch}, public: d.Witness})
}

// evidence writes the evidence file of one log.
func (q *question) evidence(d api.Disclosed, l api.DisclosedLog, o unsealing.Opened) (sealedFile, error) {
	var file bytes.Buffer
	if err := evidence.Write(&file, o.Content); err != nil {
		return sealedFile{}, err
	}
	f, err := q.seal(fmt.Sprintf("%s-%d-%s-%s-%016x.evidence", d.Reference.String()[:8], d.Number, d.Place.Building, d.Place.Gateway, l.Epoch), file.Bytes())
	f.Entries, f.Other = l.End-l.First, len(o.Other)
	for s := range o.Content.Entries {
		if len(s.Who) > 0 {
			f.Named++
		}
	}
	return f, err
}

// names writes who the tenancies of the answer are. Each look is recorded at the issuer before it is
// answered.
func (q *question) names(d api.Disclosed, named map[wire.ID]bool) (sealedFile, error) {
	all := []Person{}
	for id := range named {
		at, err := q.Issuer.Look(q.Ctx, operator.Look{Tenancy: id.String(), Reason: "mandate", Case: q.mandate.Approval.Case})
		if err != nil {
			return sealedFile{}, err
		}
		p := Person{Tenancy: id.String(), Cards: []string{}}
		for _, seal := range at.Seals {
			if err := q.person(&p, seal); err != nil {
				return sealedFile{}, err
			}
		}
		all = append(all, p)
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return sealedFile{}, err
	}
	return q.seal(fmt.Sprintf("%s-%d-%s-%s.names", d.Reference.String()[:8], d.Number, d.Place.Building, d.Place.Gateway), text)
}

// person opens a seal with the key that it was sealed to.
func (q *question) person(p *Person, seal operator.Seal) (err error) {
	for _, key := range q.records {
		if err = p.Add(q.Ctx, q.Front, key, seal); err == nil {
			return nil
		}
	}
	return err
}

// seal writes what only the recipient opens.
func (q *question) seal(name string, plain []byte) (sealedFile, error) {
	f := sealedFile{Path: filepath.Join(q.Out, name), SHA256: sha256.Sum256(plain)}
	b, err := sealing.Seal(q.mandate.Delivery.Recipient, sealing.Answer, "", plain)
	if err != nil {
		return f, err
	}
	return f, durable.WriteFile(f.Path, b, 0o600)
}

// witness signs by the front, which has the key.
type witness struct {
	q      *question
	of     api.ToSign
	public ed25519.PublicKey
}

// Public implements crypto.Signer.
func (w witness) Public() crypto.PublicKey { return w.public }

// Sign implements crypto.Signer.
func (w witness) Sign(_ io.Reader, text []byte, _ crypto.SignerOpts) ([]byte, error) {
	w.of.Text = text
	return w.q.Front.Mandated().Sign(w.q.Ctx, w.of)
}

func (a answered) write(w io.Writer) {
	if r := a.Refusal; r != nil {
		fmt.Fprintf(w, "%s: 不予提供 refused: %s\n  %s\n  %s\n  依据 rule: %s; %s\n", a.Address(), r.Name, r.Reason.ZH, r.Reason.EN, r.Article.ZH, r.Article.EN)
		return
	}
	if a.Number == 0 {
		fmt.Fprintf(w, "%s: 尚未答复，不计次数 not answered yet, and nothing is counted\n", a.Address())
	} else {
		fmt.Fprintf(w, "%s: 第 %d 次答复 answer %d\n", a.Address(), a.Number, a.Number)
	}
	if a.Uncertain {
		fmt.Fprintln(w, "  登记中心的时钟存疑，只答复这一次 the registry's clock is in doubt: this once only")
	}
	for _, f := range a.Files {
		fmt.Fprintf(w, "  %s\n    SHA-256 %x\n", f.Path, f.SHA256)
		if f.Entries > 0 {
			fmt.Fprintf(w, "    %d 条记录，%d 条有身份 %s, %d with who it was\n", f.Entries, f.Named, amount.Of(int(f.Entries), "entry"), f.Named)
		}
	}
	for _, f := range a.Files {
		if f.Other > 0 {
			fmt.Fprintf(w, "  %d 条的密封内容与日志不符，未列出身份 %s sealed otherwise than the log has it, and not named: look at this gateway\n", f.Other, amount.Of(f.Other, "entry"))
		}
	}
	if len(a.Files) > 0 {
		fmt.Fprintln(w, "  收件人打开 the recipient opens each: gatehouse evidence open --key KEY --out OUT FILE")
	}
	for _, l := range a.Left {
		why := "尚未共签，稍后再问 not cosigned yet: ask again later"
		if l.Why == api.OtherKey {
			why = "由网关以前的密钥签名，请到现场调取 signed by an earlier key of the gateway: ask on site"
		}
		fmt.Fprintf(w, "  %016x:%d-%d: %s\n", l.Epoch, l.First, l.End-1, why)
	}
	if len(a.Files)+len(a.Left) == 0 {
		fmt.Fprintln(w, "  登记中心没有这段记录 the registry has nothing of that time: ask the gateway on site")
	}
}
