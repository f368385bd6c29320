package papers

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/calendar"
	"gatehouse/internal/mandate"
	"gatehouse/internal/socket"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

type showCmd struct {
	File string `arg:"" help:"A mandate, signed or not."`
	trusted
}

// shown is the answer of `mandate show`.
type shown struct {
	mandate.Form
	Signed   bool             `json:"signed"`             // by somebody: whether it holds is in verified
	Signer   string           `json:"signer,omitempty"`   // id of the key, as the file says
	Verified *bool            `json:"verified,omitempty"` // by the trust document, where one was given
	Refusal  *mandate.Refusal `json:"refusal,omitempty"`
	zone     *time.Location   // of the times that are printed
	Root     string           `json:"root,omitempty"` // fingerprint of the key that the trust document was checked by
}

// Run prints a mandate as the paper form has it.
func (c showCmd) Run(s *session.Session) error {
	p, err := read(s, c.File)
	if err != nil {
		return err
	}
	trust, err := c.load(s, "")
	if err != nil {
		return err
	}
	out := shown{Form: mandate.FormOf(p.mandate, p.registry), Signed: p.envelope != nil, zone: p.zone}
	if !p.numbered {
		out.Reference = ""
	}
	if out.Signed {
		out.Signer = idText(p.signer)
	}
	if trust != nil {
		_, out.Refusal = mandate.Open(p.envelope, *trust)
		out.Verified = new(out.Refusal == nil)
		if out.Root, err = fingerprint(c.Root); err != nil {
			return err
		}
	}
	if err := s.Print(out, nil, func(w io.Writer) { out.write(w, p.mandate) }); err != nil || out.Refusal == nil {
		return err
	}
	return saidNo(out.Refusal)
}

// write prints the form of the field, Chinese beside English.
func (v shown) write(w io.Writer, m mandate.Mandate) {
	line := func(zh, en, format string, args ...any) {
		fmt.Fprintf(w, "%s %s: %s\n", zh, en, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(w, "调取证据通知书 Mandate (notice to produce evidence)")
	line("文书号", "notice", "%s", m.Approval.Notice)
	line("案号", "case", "%s", m.Approval.Case)
	line("编号", "reference", "%s", cmp.Or(v.Reference, "签发时生成 made when it is signed"))
	line("状态", "status", "%s", v.status(m, time.Now().Unix()))
	line("用途", "purpose", "%s", m.Approval.Purpose)
	line("开具机关", "issuing authority", "%s (%s)", m.Approval.Issuing.Name, m.Approval.Issuing.File)
	if m.Approval.Validating == (mandates.Authority{}) {
		line("审核机关", "validating authority", "%s", "尚无 none yet")
	} else {
		line("审核机关", "validating authority", "%s (%s)", m.Approval.Validating.Name, m.Approval.Validating.File)
	}
	for i, o := range m.Approval.Officers {
		line(fmt.Sprintf("侦查人员%d", i+1), "officer", "%s, 警号 badge %s, 密钥 key %s", o.Unit, o.Badge, idText(o.Key))
	}
	v.scope(line, m)
	line("接收公钥", "recipient's key", "%s", recipientText(m.Delivery.Recipient))
	line("有效期", "good", "%s – %s", at(m.Issued, v.zone), at(m.Expires, v.zone))
	line("次数", "answers", "每个网关 %d 次 of each gateway", m.Answers)
	if m.Emergency {
		line("紧急", "emergency", "%s", "一扇门、24 小时、一次；答复后 48 小时内须由第二机关审核，逾期未审核满 3 份的，登记中心不再受理该审批人的紧急调取 one door, 24 hours, once; a second authority validates it within 48 hours of the answer, and with 3 that nobody did the registry answers the approver no further emergency")
	}
	line("告知", "telling", "%s", v.told(m.Telling))
	by, zone := "按表格写明的时区 by the time zone that the form has", "-07:00"
	if v.Signed {
		by, zone = "按本机时区 by this machine's time zone", "MST -07:00"
	}
	line("时间", "times", "%s, %s", by, time.Unix(int64(m.Issued), 0).In(v.zone).Format(zone))
	line("登记中心", "registry", "%s", v.Registry)
	line("签名", "signature", "%s", v.signature())
	if v.Root != "" {
		line("根密钥指纹", "root's fingerprint", "%s", v.Root)
	}
	fmt.Fprintln(w, "侦查人员签名 officers sign: ____________________  ____________________")
}

// scope prints what is asked for.
func (v shown) scope(line func(zh, en, format string, args ...any), m mandate.Mandate) {
	r := m.Request
	line("楼栋", "building", "%s/%s/%s", r.District, r.Town, r.Building)
	for _, g := range r.Gateways {
		line("网关和门", "gateway, doors", "%s: %s", g.ID, strings.Join(g.Doors, ", "))
	}
	line("时间段", "span", "%s – %s", at(r.From, v.zone), at(r.Until, v.zone))
	if !r.Named() {
		line("对象", "whose passages", "%s", "时间段内经过的所有人 everybody's who passed")
	}
	for _, list := range []struct {
		zh, en string
		all    []string
	}{{"房号", "flats", v.Flats}, {"卡编号", "cards", v.Cards}, {"租约", "tenancies", v.Tenancies}} {
		if len(list.all) > 0 {
			line(list.zh, list.en, "%s", strings.Join(list.all, ", "))
		}
	}
	if r.InHand {
		line("卡", "card", "%s", "当场贴在读卡器上的卡 the one held to a reader there")
	}
}

func (v shown) signature() string {
	switch {
	case !v.Signed:
		return "未签名 nobody has signed it"
	case v.Verified == nil:
		return "密钥 key " + v.Signer + "，未核验 not checked: --trust FILE --root FILE"
	case *v.Verified:
		return "密钥 key " + v.Signer + "，有效 holds"
	}
	return "无效 does NOT hold: " + v.Refusal.Error()
}

// status is active only where the trust document says that an approver has signed it.
func (v shown) status(m mandate.Mandate, now int64) string {
	switch {
	case v.Refusal != nil:
		return "无效 does NOT hold"
	case m.Status == mandates.Withdrawn:
		return "已撤回 withdrawn: " + m.StatusReason
	case mandate.Ended(m, now) != nil:
		return "已到期 expired"
	case !v.Signed:
		return "未签名 not signed"
	case v.Verified == nil:
		return "未核验 not checked"
	case now < int64(m.Issued):
		return "尚未生效 not good yet"
	}
	return "有效 active"
}

// told says when who is asked about may be told.
func (v shown) told(t *mandates.Telling) string {
	switch {
	case t == nil:
		return "未写明 not said"
	case t.From == 0:
		return "不告知，依据 nobody is told, by: " + t.Basis
	}
	return "自此可以告知当事人 who is asked about may be told from " + at(t.From, v.zone)
}

func recipientText(key []byte) string {
	if len(key) == 0 {
		return "缺 missing"
	}
	sum := wire.IDOf(key)
	return hex.EncodeToString(sum[:])
}

// fingerprint is what the paper form has of the root's key.
func fingerprint(path string) (string, error) {
	root, err := publicKey(path)
	return idText(wire.IDOf(root)), err
}

func at(unix uint32, zone *time.Location) string {
	return calendar.Stamp(time.Unix(int64(unix), 0), zone)
}

type statusCmd struct {
	File    string `arg:"" help:"A signed mandate."`
	Gateway string `help:"Judge as this gateway of the building; else as each that it names." placeholder:"ID"`
	Used    int    `help:"Answers that the gateway has given already." default:"0"`
	trusted
}

// judged is the answer of `mandate status`.
type judged struct {
	Reference string           `json:"reference,omitempty"`
	Good      bool             `json:"good"`
	Gateway   string           `json:"gateway,omitempty"`
	Doors     []string         `json:"doors,omitempty"`
	Seat      string           `json:"seat,omitempty"` // of the approver
	Left      int              `json:"left"`           // answers, with this one
	Expires   *time.Time       `json:"expires,omitempty"`
	Refusal   *mandate.Refusal `json:"refusal,omitempty"`
}

// Run judges by this machine's clock, which a gateway does not know.
func (c statusCmd) Run(s *session.Session) error {
	p, err := read(s, c.File)
	if err != nil {
		return err
	}
	if c.Trust == "" || c.Root == "" {
		return socket.Hinted("gatehouse mandate show prints it without", "--trust and --root name the documents that it is judged by")
	}
	trust, err := c.load(s, "")
	if err != nil {
		return err
	}
	all := c.judge(p, *trust, time.Now().Unix())
	if err := s.Print(all, nil, func(w io.Writer) {
		for _, j := range all {
			j.write(w)
		}
	}); err != nil {
		return err
	}
	for _, j := range all {
		if !j.Good {
			return errors.New("the mandate is refused: " + j.Refusal.Name)
		}
	}
	return nil
}

func (c statusCmd) judge(p paper, trust wire.Trust, now int64) (all []judged) {
	r := p.mandate.Request
	gateways := []string{c.Gateway}
	if c.Gateway == "" && len(r.Gateways) > 0 {
		gateways = nil
		for _, g := range r.Gateways {
			gateways = append(gateways, g.ID)
		}
	}
	for _, id := range gateways {
		q := mandate.Question{Now: trueclock.Interval{Sure: now, Lo: now, Hi: now}, Used: c.Used,
			Place: wire.Place{District: r.District, Town: r.Town, Building: r.Building, Gateway: id}}
		use, refusal := mandate.Judge(p.envelope, trust, q)
		j := judged{Reference: p.mandate.Reference.String(), Gateway: id, Good: refusal == nil, Refusal: refusal, Doors: use.Doors, Seat: use.Approver.Seat}
		if j.Good {
			j.Left, j.Expires = int(p.mandate.Answers)-c.Used, new(time.Unix(int64(p.mandate.Expires), 0))
		}
		all = append(all, j)
	}
	return all
}

func (j judged) write(w io.Writer) {
	if j.Good {
		fmt.Fprintf(w, "%s: 可以答复 may answer: %s; 还有 %d 次 left; 至 until %s; 审批席位 seat %s\n", j.Gateway, strings.Join(j.Doors, ", "), j.Left, session.Local(*j.Expires), j.Seat)
		return
	}
	r := j.Refusal
	fmt.Fprintf(w, "%s: 不予提供 refused: %s\n  %s\n  %s\n  依据 rule: %s; %s\n  怎么办 what to do: %s\n  %s\n", j.Gateway, r.Name, r.Reason.ZH, r.Reason.EN, r.Article.ZH, r.Article.EN, r.Do.ZH, r.Do.EN)
}
