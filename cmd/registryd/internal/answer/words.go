package answer

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// answered is what was made of one gateway's log.
type answered struct {
	api.Place
	Number    int              `json:"number,omitempty"`
	Part      int              `json:"part,omitempty"` // of the answer: 0 as first given, then its supplements
	Refusal   *mandate.Refusal `json:"refusal,omitempty"`
	Uncertain bool             `json:"uncertain,omitempty"` // the clock can't tell whether the mandate is valid
	Files     []sealedFile     `json:"files"`
	Left      []api.LeftOut    `json:"left"`
	Lacks     *api.Lacks       `json:"lacks,omitempty"`
	api.Told
}

// sealedFile is a file that only the recipient opens.
type sealedFile struct {
	Path    string    `json:"path"`
	SHA256  wire.Hash `json:"sha256"`      // of what is inside
	File    wire.Hash `json:"file_sha256"` // of the file as it was written
	Entries uint64    `json:"entries,omitempty"`
	Named   uint64    `json:"named,omitempty"`
	Other   int       `json:"other,omitempty"` // entries whose seals hold something else than the log hashed
}

// told is an answer without its files.
func told(d api.Disclosed) answered {
	return answered{Place: d.Place, Number: d.Number, Part: d.Part, Refusal: d.Refusal, Uncertain: d.Uncertain, Left: d.Left, Lacks: d.Lacks, Told: d.Told, Files: []sealedFile{}}
}

// stands reports whether the files of the part that the front gives are here, as they were written.
func (a answered) stands(d api.Disclosed) bool {
	if d.Fresh || d.Number == 0 || a.Number != d.Number || a.Part != d.Part || len(a.Files) < len(d.Logs) {
		return false
	}
	for _, f := range a.Files {
		if b, err := os.ReadFile(f.Path); err != nil || sha256.Sum256(b) != f.File {
			return false
		}
	}
	return true
}

func (a answered) write(w io.Writer) {
	if r := a.Refusal; r != nil {
		fmt.Fprintf(w, "%s: 不予提供 refused: %s\n  %s\n  %s\n  依据 rule: %s; %s\n", a.Address(), r.Name, r.Reason.ZH, r.Reason.EN, r.Article.ZH, r.Article.EN)
		a.writeUses(w)
		return
	}
	switch {
	case a.Number == 0:
		fmt.Fprintf(w, "%s: 尚未答复，不计次数 not answered yet, and nothing is counted\n", a.Address())
	case a.Part > 0:
		fmt.Fprintf(w, "%s: 第 %d 次答复的补充 %d supplement %d of answer %d\n", a.Address(), a.Number, a.Part, a.Part, a.Number)
	default:
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
	a.writeLeft(w)
	if len(a.Files)+len(a.Left) == 0 {
		fmt.Fprintln(w, "  登记中心没有这段记录 the registry has nothing of that time: ask the gateway on site")
	}
	if a.Lacks != nil {
		fmt.Fprintf(w, "  不完整 not complete: %s\n", lacking(*a.Lacks))
	}
	a.writeUses(w)
}

// writeLeft says what is stored and not in the answer.
func (a answered) writeLeft(w io.Writer) {
	for _, l := range a.Left {
		why := "尚未共签，稍后再问 not cosigned yet: ask again later"
		if l.Why == api.OtherKey {
			why = "由网关以前的密钥签名，请到现场调取 signed by an earlier key of the gateway: ask on site"
		}
		fmt.Fprintf(w, "  %016x:%d-%d: %s\n", l.Epoch, l.First, l.End-1, why)
	}
}

// lacking says what the registry has not got, and since when.
func lacking(l api.Lacks) string {
	zh, en := "网关在线", "the gateway is connected"
	switch {
	case l.Heard == nil:
		zh, en = "从未联系", "the gateway was never heard"
	case !l.Online:
		at := calendar.Stamp(*l.Heard, l.Heard.Location())
		zh, en = "网关离线，最后联系 "+at, "the gateway is off line, heard last at "+at
	}
	if l.Behind > 0 {
		zh, en = zh+fmt.Sprintf("，已报告未到 %d 条", l.Behind), en+", "+amount.Of(int(l.Behind), "entry")+" announced that have not come"
	}
	if l.NotCosigned > 0 {
		zh, en = zh+fmt.Sprintf("，未共签 %d 条", l.NotCosigned), en+", "+amount.Of(int(l.NotCosigned), "entry")+" not cosigned yet"
	}
	return zh + " " + en
}

// writeUses says where else the mandate was used.
func (a answered) writeUses(w io.Writer) {
	for _, u := range a.OnSite {
		fmt.Fprintf(w, "  %s: 现场已按此编号使用 %d 次，计入次数 used on site %s under this reference, which count", u.Place.Address(), u.Uses, amount.Of(u.Uses, "time"))
		if u.Other > 0 {
			fmt.Fprintf(w, "；其中 %d 次是另一份文件 %d by another paper: ask its approver", u.Other, u.Other)
		}
		fmt.Fprintln(w)
	}
	if a.Elsewhere > 0 {
		fmt.Fprintf(w, "  登记中心已按此编号为其他网关答复 %d 次，计入次数 answered here %s for gateways that this mandate does not name, which count\n", a.Elsewhere, amount.Of(a.Elsewhere, "time"))
	}
}
