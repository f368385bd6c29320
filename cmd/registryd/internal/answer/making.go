package answer

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/evidence"
	"gatehouse/internal/input"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/unsealing"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// counter is where mandates are answered: with the records keys, into a directory.
type counter struct {
	*Session
	out     string
	records [][]byte
	write   func(path string, data []byte, mode os.FileMode) error // of the answers' files
}

// question is a mandate that is being answered.
type question struct {
	at       *counter
	envelope []byte
	mandate  mandates.Mandate
	flats    map[wire.ID]bool // which tenancies the flats of the mandate ever had
}

// mostMandate is more than any mandate has, in bytes.
const mostMandate = 64 << 10

// read reads a mandate.
func (c *counter) read(path string) (*question, error) {
	q := &question{at: c}
	var err error
	if q.envelope, err = input.ReadFile(c.Ctx, path, mostMandate); err != nil {
		if c.Ctx.Err() != nil {
			return nil, err
		}
		return nil, socket.Hinted("看路径是否正确、本用户能否读取 see that the path is right, and that you may read it", "不能读取调取令 can't read the mandate: %v", err)
	}
	payload, _, err := wire.Read(q.envelope)
	if err == nil {
		q.mandate, err = mandates.Decode(payload)
	}
	if err != nil {
		return nil, socket.Hinted("用 gatehouse mandate sign 签名 gatehouse mandate sign makes one", "%s 不是已签名的调取令 is no signed mandate: %v", path, err)
	}
	r := q.mandate.Request
	if r.InHand && len(r.Flats)+len(r.Cards)+len(r.Tenancies) == 0 {
		return nil, socket.Hinted("在楼内用 gatehouse query 刷卡 gatehouse query in the building waits for the card", "调取令要求当场刷卡，此处没有读卡器 the mandate asks for a card that is held to a reader, and here is none")
	}
	return q, nil
}

// writable makes the directory and tries to write into it, before anything is asked: what is answered is counted.
func writable(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	var trial *os.File
	if err == nil {
		trial, err = os.CreateTemp(dir, ".trial-*")
	}
	if err == nil {
		_, err = trial.Write(make([]byte, 4096))
		err = errors.Join(err, trial.Close(), os.Remove(trial.Name()))
	}
	if err == nil {
		return nil
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err // the path is one that nobody named
	}
	return socket.Hinted("用 --out 指定可写的目录；尚未查询，未计次 name with --out a directory that you may write to: nothing was asked, and nothing is counted",
		"不能写入 can't write into %s: %v", dir, err)
}

// readFlats reads which tenancies the flats of the mandate ever had.
func (q *question) readFlats() error {
	q.flats = map[wire.ID]bool{}
	if len(q.mandate.Request.Flats) == 0 {
		return nil
	}
	all, err := q.at.Issuer.Tenancies(q.at.Ctx, q.mandate.Request.Building)
	if known := (*socket.Error)(nil); errors.As(err, &known) && known.Status == http.StatusNotFound {
		return socket.Refused(known.Status, "登记中心用 registryd gateway list 查看楼栋 registryd gateway list shows the buildings at the registry", "没有这栋楼 no building %q", q.mandate.Request.Building)
	}
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
			return socket.Hinted("用 registryd tenancies --building "+q.mandate.Request.Building+" 查看房号，调取令须照写 that shows the flats that have or had a tenancy; the mandate must name them as they stand there",
				"该房从未登记租约 no tenancy of flat %q was ever registered", flat)
		}
	}
	return nil
}

// ask asks the front, which stores that it answers.
func (q *question) ask(a api.Asked) (api.Disclosed, error) {
	a.Mandate = q.envelope
	d, err := q.at.Front.Mandated().Disclose(q.at.Ctx, a)
	if d.Refusal != nil {
		d.Place = api.Place{Building: q.mandate.Request.Building, Gateway: a.Gateway}
	}
	if err != nil || d.Lacks == nil || d.Lacks.Heard == nil {
		return d, err
	}
	zone, err := q.at.Zone(d.Place.Building)
	if err == nil {
		d.Lacks.Heard = new(d.Lacks.Heard.In(zone))
	}
	return d, err
}

// answer makes the files of what the front has answered.
func (q *question) answer(d api.Disclosed) (a answered, err error) {
	if a = told(d); d.Refusal != nil {
		return a, nil
	}
	zone, err := q.at.Zone(d.Place.Building)
	if err != nil {
		return a, err
	}
	named := map[wire.ID]bool{}
	for _, l := range d.Logs {
		o, err := q.open(d, l, zone)
		if err != nil {
			return a, fmt.Errorf("不能取得或打开记录 can't get or open the entries: %w", err)
		}
		if len(o.Lost) > 0 {
			return a, socket.Hinted(fmt.Sprintf("同时给出以前的存档密钥，本次答复已计次 give the records key of before, too: --key FILE --key OLD; this answer is counted: --again %d", d.Number),
				"有记录用另一把存档密钥密封 %s of %s were sealed to another records key", amount.Of(len(o.Lost), "entry"), d.Place.Address())
		}
		f, err := q.evidence(d, l, o)
		if err != nil {
			return a, fmt.Errorf("不能制作文件 can't make the file: %w", err)
		}
		a.Files = append(a.Files, f)
		for _, id := range o.Tenancies {
			named[id] = true
		}
	}
	if len(named) > 0 {
		f, err := q.names(d, named)
		if err != nil {
			return a, fmt.Errorf("记录已写入，姓名没有 the entries are in %s, but not the names: %w", q.at.out, err)
		}
		a.Files = append(a.Files, f)
	}
	return a, nil
}

// open opens the entries of one log with the records key.
func (q *question) open(d api.Disclosed, l api.DisclosedLog, zone *time.Location) (unsealing.Opened, error) {
	var batches []api.SealedBatch
	err := q.at.Front.Mandated().Batches(q.at.Ctx, d, l.Epoch, func(b api.SealedBatch) error {
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
	a := unsealing.Answer{Disclosed: d, Log: l, Mandate: q.mandate, Envelope: q.envelope, Tenancies: q.flats, Records: q.at.records, Zone: name,
		Software: "registryd " + q.at.Version}
	if d.Part > 0 { // and it has all that is in the parts before it
		a.Software += fmt.Sprintf(", 第 %d 次答复的补充 %d supplement %d of answer %d", d.Number, d.Part, d.Part, d.Number)
	}
	return a.Open(batches, witness{q: q, of: api.ToSign{Reference: d.Reference, Number: d.Number, Part: d.Part, Place: d.Place, Epoch: l.Epoch}, public: d.Witness})
}

// evidence writes the evidence file of one log.
func (q *question) evidence(d api.Disclosed, l api.DisclosedLog, o unsealing.Opened) (sealedFile, error) {
	var file bytes.Buffer
	if err := evidence.Write(&file, o.Content); err != nil {
		return sealedFile{}, err
	}
	f, err := q.seal(fmt.Sprintf("%s-%016x.evidence", nameOf(d), l.Epoch), file.Bytes())
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
		at, err := q.at.Issuer.Look(q.at.Ctx, operator.Look{Tenancy: id.String(), Reason: "mandate", Case: q.mandate.Approval.Case})
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
	return q.seal(nameOf(d)+".names", text)
}

// person opens a seal with the key that it was sealed to.
func (q *question) person(p *Person, seal operator.Seal) (err error) {
	for _, key := range q.at.records {
		if err = p.Add(q.at.Ctx, q.at.Front, key, seal); err == nil {
			return nil
		}
	}
	return err
}

// nameOf begins the names of an answer's files: 1 is the first answer, 1.2 its second supplement.
func nameOf(d api.Disclosed) string {
	number := strconv.Itoa(d.Number)
	if d.Part > 0 {
		number += "." + strconv.Itoa(d.Part)
	}
	return strings.Join([]string{d.Reference.String()[:8], number, d.Place.Building, d.Place.Gateway}, "-")
}

// seal writes what only the recipient opens.
func (q *question) seal(name string, plain []byte) (sealedFile, error) {
	f := sealedFile{Path: filepath.Join(q.at.out, name), SHA256: sha256.Sum256(plain)}
	b, err := sealing.Seal(q.mandate.Delivery.Recipient, sealing.Answer, "", plain)
	if err != nil {
		return f, err
	}
	f.File = sha256.Sum256(b)
	return f, q.at.write(f.Path, b, 0o600)
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
	return w.q.at.Front.Mandated().Sign(w.q.at.Ctx, w.of)
}
