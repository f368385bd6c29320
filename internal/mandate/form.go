package mandate

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// Form is a mandate as people and programs fill it in: JSON, before anybody signs it.
type Form struct {
	Registry   string              `json:"registry"`            // whose trust document names the approver
	Reference  string              `json:"reference,omitempty"` // 32 hex digits; empty: a random one
	Withdrawn  string              `json:"withdrawn,omitempty"` // why; empty: it is active
	District   string              `json:"district"`
	Town       string              `json:"town"`
	Building   string              `json:"building"`
	Gateways   map[string][]string `json:"gateways"` // doors by gateway
	Flats      []string            `json:"flats,omitempty"`
	Cards      []string            `json:"cards,omitempty"`     // CredentialIDs, 34 hex digits
	Tenancies  []string            `json:"tenancies,omitempty"` // 32 hex digits
	CardInHand bool                `json:"card_in_hand,omitempty"`
	From       time.Time           `json:"from"`
	Until      time.Time           `json:"until"`
	Recipient  PublicKey           `json:"recipient"`
	Issuing    FormAuthority       `json:"issuing"`
	Validating FormAuthority       `json:"validating"`
	Officers   []FormOfficer       `json:"officers"`
	Purpose    string              `json:"purpose"`
	Case       string              `json:"case"`
	Notice     string              `json:"notice"`
	Issued     time.Time           `json:"issued,omitzero"` // zero: when it is signed
	Expires    time.Time           `json:"expires"`
	Answers    uint8               `json:"answers"` // of each gateway
	Emergency  bool                `json:"emergency,omitempty"`
	TellFrom   time.Time           `json:"tell_from,omitzero"`  // who is asked about may be told from then; zero: see NoNotice
	NoNotice   string              `json:"no_notice,omitempty"` // the law by which nobody is told; both empty: the form is of an older program
}

// FormAuthority is a public body with the number of its file.
type FormAuthority struct {
	Name string `json:"name"`
	File string `json:"file"`
}

// FormOfficer is one of the two who ask.
type FormOfficer struct {
	Unit  string `json:"unit"`
	Badge string `json:"badge"`
	Key   string `json:"key"` // id of the signing key, 16 hex digits
}

// PublicKey is what answers are sealed to: base64 in a form, or the whole text of the key's file.
type PublicKey []byte

// MarshalText implements encoding.TextMarshaler.
func (k PublicKey) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, k), nil
}

// UnmarshalText implements encoding.TextUnmarshaler. An error never repeats the text.
func (k *PublicKey) UnmarshalText(text []byte) (err error) {
	if block, _ := pem.Decode(text); block != nil {
		*k = block.Bytes
		return nil
	}
	if *k, err = base64.StdEncoding.DecodeString(string(text)); err != nil {
		return errors.New("recipient: put in the text of FILE.pub that gatehouse mandate key FILE --receive makes, not its name; 填入公钥文件 FILE.pub 的全文，不是文件名")
	}
	return nil
}

// ErrNotUTF8 means a form in another encoding, as GBK or UTF-16.
var ErrNotUTF8 = errors.New("文件不是 UTF-8 编码 the file is not UTF-8")

// ParseForm reads JSON strictly, with or without a byte order mark: a field that nobody knows is an error, since what it was meant to
// limit would not be limited.
func ParseForm(text []byte) (f Form, err error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) { // the decoder would put other characters there, and that would be signed
		return Form{}, ErrNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Form{}, inWords(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Form{}, errors.New("mandate: more than one form in the file")
	}
	return f, nil
}

// inWords says what is wrong with the JSON of a form, and never repeats what stands in it.
func inWords(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("文件是空的 the file is empty")
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s: 类型或大小不对 of the wrong kind, or too large or too small", kind.Field)
	}
	return fmt.Errorf("mandate: %w", err)
}

// Mandate returns what the form says, signed at now unless it names a time. An error is a *Refusal
// of a wildcard, or joins all that is wrong, each with the name of its field.
func (f Form) Mandate(now time.Time) (m Mandate, err error) {
	if refusal := f.wildcard(); refusal != nil {
		return m, refusal
	}
	m = Mandate{Status: mandates.Active, StatusReason: f.Withdrawn, Answers: f.Answers, Emergency: f.Emergency,
		Request:  mandates.Request{District: f.District, Town: f.Town, Building: f.Building, Flats: sorted(f.Flats), InHand: f.CardInHand},
		Delivery: mandates.Delivery{Recipient: f.Recipient, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: f.Issuing.Name, File: f.Issuing.File},
			Validating: mandates.Authority{Name: f.Validating.Name, File: f.Validating.File}, Purpose: f.Purpose, Case: f.Case, Notice: f.Notice}}
	if f.Withdrawn != "" {
		m.Status = mandates.Withdrawn
	}
	for id, doors := range f.Gateways {
		m.Request.Gateways = append(m.Request.Gateways, mandates.Gateway{ID: id, Doors: sorted(doors)})
	}
	slices.SortFunc(m.Request.Gateways, func(a, b mandates.Gateway) int { return strings.Compare(a.ID, b.ID) })
	if f.Issued.IsZero() {
		f.Issued = now
	}
	if err := errors.Join(f.ids(), f.texts(), f.names(&m), f.times(&m), f.telling(&m), f.officers(&m)); err != nil {
		return Mandate{}, err
	}
	_, err = mandates.Encode(m)
	return m, err
}

// ids looks at the ids of places.
func (f Form) ids() error {
	all := []struct{ field, id string }{{"district", f.District}, {"town", f.Town}, {"building", f.Building}}
	for gateway, doors := range f.Gateways {
		all = append(all, struct{ field, id string }{"gateways", gateway})
		for _, d := range doors {
			all = append(all, struct{ field, id string }{"gateways", d})
		}
	}
	bad := map[string]bool{}
	var wrong []error
	for _, one := range all {
		if !bad[one.field] && !wire.ValidName(one.id, false) {
			bad[one.field] = true
			wrong = append(wrong, fmt.Errorf("%s: 编号只用小写字母、数字和连字符，1 至 32 个 an id has a-z, 0-9 and -, 1 to 32", one.field))
		}
	}
	return errors.Join(wrong...)
}

// texts looks at what is free text; what is empty is the judge's to refuse.
func (f Form) texts() error {
	all := []struct{ field, text string }{{"case", f.Case}, {"notice", f.Notice}, {"purpose", f.Purpose}, {"issuing.name", f.Issuing.Name}, {"issuing.file", f.Issuing.File},
		{"validating.name", f.Validating.Name}, {"validating.file", f.Validating.File}, {"no_notice", f.NoNotice}, {"withdrawn", f.Withdrawn}}
	for _, o := range f.Officers {
		all = append(all, []struct{ field, text string }{{"officers.unit", o.Unit}, {"officers.badge", o.Badge}}...)
	}
	for _, flat := range f.Flats {
		all = append(all, struct{ field, text string }{"flats", flat})
	}
	var wrong []error
	for _, one := range all {
		if one.text != "" && !wire.ValidText(one.text) {
			wrong = append(wrong, fmt.Errorf("%s: 最多 64 字，不能有换行等控制字符 64 characters at most, all of them printable", one.field))
		}
	}
	return errors.Join(wrong...)
}

// names reads what is written as hex digits.
func (f Form) names(m *Mandate) error {
	var wrong []error
	if f.Reference == "" {
		_, _ = rand.Read(m.Reference[:]) // never fails
	} else {
		wrong = append(wrong, digits("reference", strings.ToLower(f.Reference), m.Reference[:]))
	}
	for _, text := range sorted(lower(f.Cards)) {
		var c wire.CredentialID
		wrong = append(wrong, digits("cards", text, c[:]))
		m.Request.Cards = append(m.Request.Cards, c)
	}
	for _, text := range sorted(lower(f.Tenancies)) {
		var id wire.ID
		wrong = append(wrong, digits("tenancies", text, id[:]))
		m.Request.Tenancies = append(m.Request.Tenancies, id)
	}
	return errors.Join(wrong...)
}

// digits never repeats the text: who confuses a card's number with its id must not print it.
func digits(field, text string, into []byte) error {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(into) {
		return fmt.Errorf("%s: 须为 %d 位十六进制数 %d hex digits are wanted", field, 2*len(into), 2*len(into))
	}
	copy(into, b)
	return nil
}

func (f Form) times(m *Mandate) error {
	var wrong []error
	for _, t := range []struct {
		name string
		at   time.Time
		into *uint32
	}{{"from", f.From, &m.Request.From}, {"until", f.Until, &m.Request.Until}, {"issued", f.Issued, &m.Issued}, {"expires", f.Expires, &m.Expires}} {
		unix := t.at.Unix()
		if unix <= 0 || unix > 1<<32-1 {
			wrong = append(wrong, fmt.Errorf("%s: 没有时间或年代不对，写成 no time, or none of this age; write it as 2026-11-30T08:00:00+08:00", t.name))
			continue
		}
		*t.into = uint32(unix)
	}
	if r := m.Request; r.From != 0 && r.Until != 0 && r.Until <= r.From {
		wrong = append(wrong, errors.New("until: 须晚于 from it has to be after from"))
	}
	if m.Issued != 0 && m.Expires != 0 && m.Expires <= m.Issued {
		wrong = append(wrong, fmt.Errorf("expires: 须晚于签发 it has to be after the signing, %s", day(m.Issued)))
	}
	return errors.Join(wrong...)
}

func (f Form) telling(m *Mandate) error {
	unix := f.TellFrom.Unix()
	switch {
	case f.TellFrom.IsZero() && f.NoNotice == "":
		return nil
	case !f.TellFrom.IsZero() && f.NoNotice != "":
		return errors.New("tell_from, no_notice: 只填一项 one of the two")
	case f.TellFrom.IsZero():
		unix = 0
	case unix <= 0 || unix > 1<<32-1:
		return errors.New("tell_from: 年代不对，写成 no time of this age; write it as 2026-12-31T08:00:00+08:00")
	}
	m.Telling = &mandates.Telling{From: uint32(unix), Basis: f.NoNotice}
	return nil
}

func (f Form) officers(m *Mandate) error {
	if len(f.Officers) > len(m.Approval.Officers) {
		return fmt.Errorf("officers: %d 名，须为两名 a mandate names two, not %d", len(f.Officers), len(f.Officers))
	}
	var wrong []error
	for i, o := range f.Officers {
		into := &m.Approval.Officers[i]
		into.Unit, into.Badge = o.Unit, o.Badge
		if o.Key == "" {
			continue // the judge says that it is missing
		}
		wrong = append(wrong, digits("officers.key", strings.ToLower(o.Key), into.Key[:]))
	}
	return errors.Join(wrong...)
}

// wildcard refuses what would ask for everything, before it fails as a name.
func (f Form) wildcard() *Refusal {
	all := append([]string{f.District, f.Town, f.Building}, f.Flats...)
	for id, doors := range f.Gateways {
		all = append(append(all, id), doors...)
	}
	for _, text := range append(append(all, f.Cards...), f.Tenancies...) {
		if strings.ContainsAny(text, "*?%") || slices.Contains([]string{"all", "any", "全部", "所有"}, text) {
			return refuse(Wildcard, text)
		}
	}
	return nil
}

// FormOf returns a mandate as a form.
func FormOf(m Mandate, registry string) Form {
	r, a := m.Request, m.Approval
	f := Form{Registry: registry, Reference: m.Reference.String(), Withdrawn: m.StatusReason, District: r.District, Town: r.Town, Building: r.Building,
		Gateways: map[string][]string{}, Flats: r.Flats, CardInHand: r.InHand, From: utc(r.From), Until: utc(r.Until), Recipient: m.Delivery.Recipient,
		Issuing: FormAuthority{a.Issuing.Name, a.Issuing.File}, Validating: FormAuthority{a.Validating.Name, a.Validating.File},
		Purpose: a.Purpose, Case: a.Case, Notice: a.Notice, Issued: utc(m.Issued), Expires: utc(m.Expires), Answers: m.Answers, Emergency: m.Emergency}
	if t := m.Telling; t != nil && t.From != 0 {
		f.TellFrom = utc(t.From)
	} else if t != nil {
		f.NoNotice = t.Basis
	}
	for _, g := range r.Gateways {
		f.Gateways[g.ID] = g.Doors
	}
	for _, c := range r.Cards {
		f.Cards = append(f.Cards, hex.EncodeToString(c[:]))
	}
	for _, id := range r.Tenancies {
		f.Tenancies = append(f.Tenancies, id.String())
	}
	for _, o := range a.Officers {
		f.Officers = append(f.Officers, FormOfficer{o.Unit, o.Badge, hex.EncodeToString(o.Key[:])})
	}
	return f
}

func utc(unix uint32) time.Time { return time.Unix(int64(unix), 0).UTC() }

// sorted returns each once, ascending, in a list of its own.
func sorted(all []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

func lower(all []string) (out []string) {
	for _, s := range all {
		out = append(out, strings.ToLower(s))
	}
	return out
}
