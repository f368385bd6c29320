package papers

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/mandate"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
)

type newCmd struct {
	Form string `help:"JSON to read instead of asking: a file, or - for standard input." placeholder:"FILE"`
	Out  string `required:"" help:"New file for the filled-in mandate." placeholder:"FILE"`
}

// Help has the order of the questions.
func (newCmd) Help() string {
	return `Without --form it asks, in this order: registry, case number, notice number, purpose,
issuing authority and its file number, emergency, validating authority and its file
number (not in an emergency), of each of the two officers unit, badge number and key;
district, town, building, gateways with their doors (an empty line ends them), flats,
from, until, the recipient's public key, answers and days (not in an emergency), and
in how many days who is asked about may be told, or where that is 0 by which law never.`
}

// Run writes a form that an approver can sign: what a gateway would refuse is refused here.
func (c newCmd) Run(s *session.Session) error {
	form, err := c.form(s)
	if err != nil {
		return err
	}
	made, err := c.write(form)
	if err != nil && c.Form == "" {
		err = c.keep(form, err)
	}
	return s.Print(made, err, func(w io.Writer) {
		fmt.Fprint(w, made.Everybody)
		fmt.Fprintf(w, "已填写 filled in: %s\n下一步 next: gatehouse mandate sign %s --out %s.mandate --key FILE\n", c.Out, c.Out, strings.TrimSuffix(c.Out, ".json"))
	})
}

// made is the answer of `mandate new`.
type made struct {
	File      string    `json:"file"`
	Reference string    `json:"reference"`
	Everybody everybody `json:"everybody"`
}

// everybody is whether a mandate names nobody, and so asks for all who passed.
type everybody bool

// String warns of it, in a line.
func (e everybody) String() string {
	if !e {
		return ""
	}
	return "注意：没有写明对象，调取的是时间段内经过的所有人 note: nobody is named: it asks for everybody's passages\n"
}

func (c newCmd) write(form mandate.Form) (made, error) {
	m, err := filled(form)
	if err != nil {
		return made{}, err
	}
	if refusal := cmp.Or(mandate.Examine(m, approver.Approver{}), mandate.Ended(m, time.Now().Unix())); refusal != nil {
		return made{}, saidNo(refusal)
	}
	if m.Telling == nil {
		return made{}, socket.Hinted("填写 tell_from；依法不告知的，在 no_notice 写明法律依据 fill in tell_from, or the law by which nobody is told in no_notice",
			"没有写明何时可以告知当事人 it does not say from when who is asked about may be told")
	}
	form.Reference = m.Reference.String()
	text, err := json.MarshalIndent(form, "", "  ")
	if err == nil {
		err = save(c.Out, append(text, '\n'))
	}
	return made{c.Out, form.Reference, everybody(!m.Request.Named())}, err
}

// keep writes the answers of somebody at a terminal beside the file that was refused: nobody types them twice.
func (c newCmd) keep(form mandate.Form, refused error) error {
	draft := c.Out + ".draft"
	text, err := json.MarshalIndent(form, "", "  ")
	if err == nil {
		err = durable.WriteFile(draft, append(text, '\n'), 0o600)
	}
	if err != nil {
		return refused
	}
	hint := fmt.Sprintf("回答存于 the answers are in %s: 改正后 correct them, then gatehouse mandate new --form %s --out FILE", draft, draft)
	if e := (*socket.Error)(nil); errors.As(refused, &e) {
		hint = e.Hint + "; " + hint
	}
	return socket.Hinted(hint, "%v", refused)
}

func (c newCmd) form(s *session.Session) (mandate.Form, error) {
	switch c.Form {
	case "":
		return ask(s.Asker(), time.Now())
	case "-":
		raw, err := io.ReadAll(io.LimitReader(s.In, mostForm))
		if err != nil {
			return mandate.Form{}, fmt.Errorf("read standard input: %w", err)
		}
		return parse(raw)
	}
	raw, err := command.ReadFile(s.Ctx, c.Form, mostForm, "写明填好的 JSON 表格；不带 --form 则逐项提问；name the JSON that is filled in; without --form it asks")
	if err != nil {
		return mandate.Form{}, err
	}
	return parse(raw)
}

// asking collects answers until one is missing.
type asking struct {
	of  *session.Asker
	err error
}

// text asks for a text; it may be empty where that is said.
func (a *asking) text(question string, empty bool) (answer string) {
	a.take(question, func(s string) error {
		if s == "" && !empty {
			return socket.Hinted("the mandate is refused without it", "no answer")
		}
		if s != "" && !wire.ValidText(s) {
			return socket.Hinted("at most 64 characters", "this is too long, or can't be printed")
		}
		answer = s
		return nil
	})
	return answer
}

// yes asks for y or nothing.
func (a *asking) yes(question string) (yes bool) {
	a.take(question, func(s string) error {
		switch strings.ToLower(s) {
		case "y", "yes", "是":
			yes = true
		case "", "n", "no", "否":
		default:
			return socket.Hinted("y 或留空 y, or nothing", "不是回答 this is no answer")
		}
		return nil
	})
	return yes
}

// take asks once more where use refuses an answer.
func (a *asking) take(question string, use func(string) error) {
	if a.err == nil {
		_, a.err = a.of.Ask(question, func(s string) (string, error) { return s, use(s) })
	}
}

const minutes = "2006-01-02 15:04"

func (a *asking) time(question string) (t time.Time) {
	a.take(question+" (2026-11-30 08:00)", func(s string) (err error) {
		if t, err = time.ParseInLocation(minutes, s, time.Local); err != nil {
			return socket.Hinted("like 2026-11-30 08:00, in this machine's time zone", "this is no time")
		}
		return nil
	})
	return t
}

func (a *asking) number(question string, most int) (n int) {
	a.take(question, func(s string) (err error) {
		if n, err = strconv.Atoi(s); err != nil || n < 1 || n > most {
			return socket.Hinted("a number from 1 to "+strconv.Itoa(most), "this is none")
		}
		return nil
	})
	return n
}

func (a *asking) list(question string) []string {
	return strings.FieldsFunc(a.text(question, true), func(r rune) bool { return r == ',' || r == '，' || r == ' ' })
}

// ask fills in a form with somebody at a terminal, or from lines.
func ask(of *session.Asker, now time.Time) (mandate.Form, error) {
	a := &asking{of: of}
	f := mandate.Form{
		Registry: a.text("登记中心 registry (id)", false),
		Case:     a.text("案号 case number", false),
		Notice:   a.text("文书号 notice number", false),
		Purpose:  a.text("用途 purpose", false),
		Issuing:  mandate.FormAuthority{Name: a.text("开具机关 issuing authority", false), File: a.text("其文号 its file number", false)},
	}
	f.Emergency = a.yes("紧急 emergency? (y，空为否 empty for no)")
	if !f.Emergency {
		f.Validating = mandate.FormAuthority{Name: a.text("审核机关 validating authority", false), File: a.text("其文号 its file number", false)}
	}
	for i := range 2 {
		which := strconv.Itoa(i + 1)
		f.Officers = append(f.Officers, mandate.FormOfficer{Unit: a.text("侦查人员"+which+"的单位 officer "+which+": unit", false),
			Badge: a.text("警号 badge number", false), Key: a.officerKey()})
	}
	f.District, f.Town, f.Building = a.text("区 district (id)", false), a.text("镇街 town (id)", false), a.text("楼栋 building (id)", false)
	f.Gateways = a.doors()
	f.Flats = a.list("房号，空为所有人 flats, comma between them; empty for everybody")
	f.From, f.Until = a.time("从 from"), a.time("到 until")
	f.Recipient = a.recipient()
	f.Answers, f.Expires = 1, now.Add(mandate.LongestEmergency).Truncate(time.Minute)
	if !f.Emergency {
		f.Answers = uint8(a.number("每个网关答复几次 answers of each gateway", 255))
		f.Expires = now.AddDate(0, 0, a.number("有效几天 good for how many days", 90)).Truncate(time.Minute)
	}
	a.telling(&f, now)
	return f, a.err
}

// telling asks in how many days who is asked about may be told, or by which law never.
func (a *asking) telling(f *mandate.Form, now time.Time) {
	most, never := int(mandate.LatestTelling/(24*time.Hour)), "，0 为依法不告知 0: never, by law"
	if f.Emergency {
		most, never = int(mandate.LatestEmergencyTelling/(24*time.Hour)), ""
	}
	days := 0
	a.take(fmt.Sprintf("几天后可以告知当事人 in how many days may who is asked about be told (1-%d%s)", most, never), func(s string) (err error) {
		if days, err = strconv.Atoi(s); err != nil || days < 0 || days > most || days == 0 && f.Emergency {
			return socket.Hinted("a number of days, at most "+strconv.Itoa(most), "this is none")
		}
		return nil
	})
	if days > 0 {
		f.TellFrom = now.AddDate(0, 0, days).Truncate(time.Minute)
		return
	}
	f.NoNotice = a.text("不告知的法律依据 by which law is nobody told", false)
}

// doors asks for gateways and their doors until the answer is empty.
func (a *asking) doors() map[string][]string {
	all := map[string][]string{}
	for a.err == nil && len(all) < mandates.MaxGateways {
		before := len(all)
		a.take("网关: 门, 门，空为结束 gateway: door, door; empty ends", func(s string) error {
			if s == "" {
				return nil
			}
			id, doors, ok := strings.Cut(strings.ReplaceAll(s, "：", ":"), ":")
			list := strings.FieldsFunc(doors, func(r rune) bool { return r == ',' || r == '，' || r == ' ' })
			if !ok || len(list) == 0 {
				return socket.Hinted("like gate-1: front, back", "a gateway without a door")
			}
			all[strings.TrimSpace(id)] = list
			return nil
		})
		if len(all) == before {
			break
		}
	}
	return all
}

func (a *asking) officerKey() (id string) {
	a.take("密钥编号或 .pub 文件 id of the key, or its .pub file", func(s string) error {
		if public, err := publicKey(s); err == nil {
			id = idText(wire.IDOf(public))
			return nil
		}
		if len(s) != 16 || strings.Trim(strings.ToLower(s), "0123456789abcdef") != "" {
			return socket.Hinted("gatehouse mandate key prints the id: 16 hex digits", "neither an id nor a file with a public key")
		}
		id = strings.ToLower(s)
		return nil
	})
	return id
}

func (a *asking) recipient() (key []byte) {
	a.take("接收公钥文件 file of the recipient's public key", func(s string) (err error) {
		if key, err = recipientKey(s); err != nil {
			if errors.Is(err, os.ErrNotExist) {
				err = errors.New("there is no such file")
			}
			return socket.Hinted("gatehouse mandate key FILE --receive makes FILE.pub", "%v", err)
		}
		return nil
	})
	return key
}
