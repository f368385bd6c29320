package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/mandate"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
)

// tokenKey names the key file that this test binary signs with when it is run as the program of a token.
const tokenKey = "GATEHOUSE_TEST_TOKEN"

// TestToken is no test but a token: the bytes to sign come in, the signature goes out.
func TestToken(t *testing.T) {
	path := os.Getenv(tokenKey)
	if path == "" {
		t.Skip("the program that TestMandate signs with")
	}
	key, err := keys.LoadPrivateKey(path)
	must(t, err)
	message, err := io.ReadAll(os.Stdin)
	must(t, err)
	_, err = os.Stdout.Write(ed25519.Sign(key, message))
	must(t, err)
	os.Exit(0)
}

// office is a directory with an approver's key, a trust document that names it, and a filled-in form.
type office struct {
	t   *testing.T
	dir string
}

func (p office) at(name string) string { return filepath.Join(p.dir, name) }

func (p office) ok(in string, args ...string) string {
	p.t.Helper()
	out, errOut, status := tool(p.t, in, append([]string{"mandate"}, args...)...)
	if status != 0 {
		p.t.Fatalf("%v: status %d\n%s%s", args, status, out, errOut)
	}
	return out
}

func (p office) fails(want string, args ...string) {
	p.t.Helper()
	out, errOut, status := tool(p.t, "", append([]string{"mandate"}, args...)...)
	if status != 1 || !strings.Contains(out+errOut, want) {
		p.t.Errorf("%v: status %d, want %q\n%s%s", args, status, want, out, errOut)
	}
}

// judge are the flags that name the trust document.
func (p office) judge() []string {
	return []string{"--trust", p.at("trust.cose"), "--root", p.at("root.pub")}
}

func newOffice(t *testing.T) office {
	p := office{t, t.TempDir()}
	for _, name := range []string{"approver.key", "other.key", "one.key", "two.key"} {
		p.ok("", "key", p.at(name))
	}
	p.ok("", "key", p.at("inbox.key"), "--receive")
	key, err := keys.LoadPrivateKey(p.at("approver.key"))
	must(t, err)
	p.trust(approver.Approver{Seat: "xin-1", Public: [32]byte(key.Public().(ed25519.PublicKey)), District: "north", Town: "xin"})
	p.ok(p.answers(), "new", "--out", p.at("form.json"))
	return p
}

// trust writes a trust document of the registry "city" with these approvers.
func (p office) trust(all ...approver.Approver) {
	root := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	_ = os.Remove(p.at("root.pub"))
	must(p.t, keys.SaveIssuer(p.at("root.pub"), wire.Key{Public: root.Public().(ed25519.PublicKey)}))
	envelope, err := wire.SignBody(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "city"}, wire.Trust{Version: 1, Issued: 1_790_000_000, Registry: "city",
		Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Epoch: 1, Public: [32]byte(issuerOf(8).Public().(ed25519.PublicKey))}}, Records: []byte{1}, Desk: []byte{1}, Escrow: []byte{1}, CAs: [][]byte{{1}}, Approvers: all}, root)
	must(p.t, err)
	must(p.t, os.WriteFile(p.at("trust.cose"), envelope, 0o600))
}

func issuerOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// certificate writes that of the officer with that key.
func (p office) certificate(key, badge, town string, issuer ed25519.PrivateKey, until time.Time) string {
	p.t.Helper()
	private, err := keys.LoadPrivateKey(p.at(key))
	must(p.t, err)
	c := mandates.Certificate{Public: [32]byte(private.Public().(ed25519.PublicKey)), Unit: "刑侦一队", Badge: badge, District: "north", Town: town,
		From: uint32(until.AddDate(0, 0, -30).Unix()), Until: uint32(until.Unix())}
	envelope, err := c.Sign("city", 1, issuer)
	must(p.t, err)
	path := p.at(strings.Join([]string{key, badge, town, until.Format("0102")}, "-"))
	must(p.t, os.WriteFile(path, envelope, 0o600))
	return path
}

// TestMandateOfficers: where certificates are shown, each of the two officers needs one, good now, by an
// issuer of the trust document, for the building's town, of the very unit, badge number and key.
func TestMandateOfficers(t *testing.T) {
	p := newOffice(t)
	soon := time.Now().AddDate(0, 0, 5)
	one, two := p.certificate("one.key", "000001", "xin", issuerOf(8), soon), p.certificate("two.key", "000002", "", issuerOf(8), soon)
	sign := func(out string, files ...string) []string {
		args := append([]string{"sign", p.at("form.json"), "--out", p.at(out), "--key", p.at("approver.key")}, p.judge()...)
		for _, f := range files {
			args = append(args, "--officer", f)
		}
		return args
	}
	p.ok("", sign("signed", one, two)...)
	for name, second := range map[string]string{
		"nobody":         one,
		"another badge":  p.certificate("two.key", "000003", "xin", issuerOf(8), soon),
		"another key":    p.certificate("other.key", "000002", "xin", issuerOf(8), soon),
		"another town's": p.certificate("two.key", "000002", "lao", issuerOf(8), soon),
	} {
		t.Log(name)
		p.fails("badge 000002: no certificate shows this officer", sign("no", one, second)...)
	}
	p.fails("no officer's certificate of the registry", sign("no", one, p.certificate("two.key", "000002", "xin", issuerOf(7), soon))...)
	p.fails("good from", sign("no", one, p.certificate("two.key", "000002", "xin", issuerOf(8), time.Now().AddDate(0, 0, -1)))...)
	p.fails("checked by the trust document", "sign", p.at("form.json"), "--out", p.at("no"), "--key", p.at("approver.key"), "--officer", one)
}

// answers are what somebody types: a week of one door, everybody's passages.
func (p office) answers() string {
	day := func(days int) string { return time.Now().AddDate(0, 0, days).Format("2006-01-02 15:04") }
	return strings.Join([]string{"city", "A440000-2026-1", "调证-2026-1", "入室盗窃案侦查", "新镇派出所", "440000-1", "", "北区分局", "440000-2",
		"刑侦一队", "000001", p.at("one.key.pub"), "刑侦一队", "000002", p.at("two.key.pub"), "north", "xin", "house-1",
		"gate-1: front", "", "", day(-7), day(0), p.at("inbox.key.pub"), "2", "7", "60"}, "\n") + "\n"
}

// TestMandate: an officer fills in, an approver signs, anybody judges; with a key in a file and in a token.
func TestMandate(t *testing.T) {
	p := newOffice(t)
	p.ok("", append([]string{"sign", p.at("form.json"), "--out", p.at("signed"), "--key", p.at("approver.key")}, p.judge()...)...)
	if out := p.ok("", append([]string{"status", p.at("signed")}, p.judge()...)...); !strings.Contains(out, "gate-1: 可以答复 may answer: front; 还有 2 次 left") {
		t.Errorf("status: %s", out)
	}
	shown := p.ok("", append([]string{"show", p.at("signed")}, p.judge()...)...)
	for _, want := range []string{"调取证据通知书", "A440000-2026-1", "刑侦一队, 警号 badge 000002", "everybody's who passed", "有效 holds", "时间 times: 按本机时区 by this machine's time zone, " + time.Now().Format("MST -07:00") + "\n", "告知 telling: 自此可以告知当事人 who is asked about may be told from " + time.Now().AddDate(0, 0, 60).Format(time.DateOnly), "根密钥指纹 root's fingerprint: "} {
		if !strings.Contains(shown, want) {
			t.Errorf("show lacks %q:\n%s", want, shown)
		}
	}
	self, err := os.Executable()
	must(t, err)
	t.Setenv(tokenKey, p.at("approver.key"))
	with := []string{"--sign-with", self + " -test.run ^TestToken$", "--public", p.at("approver.key.pub")}
	p.ok("", append([]string{"sign", p.at("form.json"), "--out", p.at("by-token")}, with...)...)
	p.ok("", append([]string{"status", p.at("by-token")}, p.judge()...)...)
	t.Setenv(tokenKey, p.at("other.key"))
	p.fails("the signature does not hold: nothing is written", append([]string{"sign", p.at("form.json"), "--out", p.at("wrong")}, with...)...)
	p.fails("the bare signature has 64", "sign", p.at("form.json"), "--out", p.at("wrong"), "--sign-with", "echo hello", "--public", p.at("approver.key.pub"))
	p.fails("is there already", "sign", p.at("form.json"), "--out", p.at("signed"), "--key", p.at("approver.key"))
	if _, err := os.Stat(p.at("wrong")); err == nil {
		t.Error("a signature that does not hold is written")
	}
}

// TestMandateRefused: nothing is signed that a gateway would refuse, and status says what a gateway would.
func TestMandateRefused(t *testing.T) {
	p := newOffice(t)
	sign := func(form, key string) []string {
		return append([]string{"sign", form, "--out", p.at("out"), "--key", p.at(key)}, p.judge()...)
	}
	text, err := os.ReadFile(p.at("form.json"))
	must(t, err)
	change := func(field string, v any) string {
		var form map[string]any
		must(t, json.Unmarshal(text, &form))
		form[field] = v
		b, err := json.Marshal(form)
		must(t, err)
		must(t, os.WriteFile(p.at("changed.json"), b, 0o600))
		return p.at("changed.json")
	}
	p.fails("unknown_approver", sign(p.at("form.json"), "other.key")...)
	p.fails("not_held", sign(change("town", "lao"), "approver.key")...)
	p.fails("too_wide", sign(change("answers", 200), "approver.key")...)
	p.fails("incomplete", sign(change("case", ""), "approver.key")...)
	p.fails("told_late", sign(change("tell_from", time.Now().AddDate(3, 0, 0)), "approver.key")...)
	p.fails("one of the two", sign(change("no_notice", "刑事诉讼法第五十四条"), "approver.key")...)
	p.fails("no_recipient", sign(change("recipient", nil), "approver.key")...)
	p.fails("put in the text of FILE.pub", sign(change("recipient", p.at("inbox.key.pub")), "approver.key")...)
	public, err := os.ReadFile(p.at("inbox.key.pub"))
	must(t, err)
	p.ok("", "new", "--form", change("recipient", string(public)), "--out", p.at("by-text.json"))
	p.fails("wildcard", "new", "--form", change("gateways", map[string][]string{"gate-1": {"*"}}), "--out", p.at("out"))
	silent := change("tell_from", "0001-01-01T00:00:00Z")
	p.fails("hint: 填写 tell_from", "new", "--form", silent, "--out", p.at("out"))
	p.ok("", sign(silent, "approver.key")...) // a form of an older program
	if out := p.ok("", "show", p.at("out")); !strings.Contains(out, "告知 telling: 未写明 not said\n") {
		t.Errorf("show: %s", out)
	}
	must(t, os.Remove(p.at("out")))
	p.fails("no_scope", "new", "--form", change("gateways", nil), "--out", p.at("out"))
	p.fails(`unknown field "everybody"`, "new", "--form", change("everybody", true), "--out", p.at("out"))
	if _, err := os.Stat(p.at("out")); err == nil {
		t.Error("something refused is written")
	}
	p.ok("", append([]string{"sign", p.at("form.json"), "--out", p.at("signed"), "--key", p.at("approver.key")}, p.judge()...)...)
	p.fails("used_up", append([]string{"status", p.at("signed"), "--used", "2"}, p.judge()...)...)
	p.fails("wrong_gateway", append([]string{"status", p.at("signed"), "--gateway", "gate-2"}, p.judge()...)...)
	p.fails("--trust and --root", "status", p.at("signed"))
	p.fails("unsigned", append([]string{"status", p.at("form.json")}, p.judge()...)...)
	p.ok("", "sign", p.at("form.json"), "--out", p.at("back"), "--key", p.at("approver.key"), "--withdraw", "案件撤销")
	p.fails("withdrawn", append([]string{"status", p.at("back")}, p.judge()...)...)
	p.trust() // the approver's seat is taken away
	p.fails("unknown_approver", append([]string{"status", p.at("signed")}, p.judge()...)...)
}

// TestMandateShown: a mandate is called active only where the trust document says that it holds, and show
// ends with 1 where it does not.
func TestMandateShown(t *testing.T) {
	p := newOffice(t)
	sign := func(form, out, key string, more ...string) {
		p.ok("", append([]string{"sign", p.at(form), "--out", p.at(out), "--key", p.at(key)}, more...)...)
	}
	sign("form.json", "signed", "approver.key")
	sign("form.json", "strange", "other.key")
	sign("signed", "back", "approver.key", "--withdraw", "案件撤销")
	envelope, err := os.ReadFile(p.at("signed"))
	must(t, err)
	envelope[len(envelope)-1] ^= 1
	must(t, os.WriteFile(p.at("altered"), envelope, 0o600))
	old := time.Now().AddDate(0, 0, -9)
	must(t, os.WriteFile(p.at("expired"), p.expired(old), 0o600))
	must(t, os.WriteFile(p.at("early"), p.signed("form.json", time.Now().AddDate(0, 0, 1)), 0o600))
	for _, c := range []struct {
		file, status string
		trust        bool
		exit         int
	}{
		{file: "form.json", status: "未签名 not signed"},
		{file: "form.json", status: "无效 does NOT hold", trust: true, exit: 1},
		{file: "signed", status: "未核验 not checked"},
		{file: "signed", status: "有效 active", trust: true},
		{file: "strange", status: "未核验 not checked"},
		{file: "strange", status: "无效 does NOT hold", trust: true, exit: 1},
		{file: "altered", status: "无效 does NOT hold", trust: true, exit: 1},
		{file: "back", status: "已撤回 withdrawn: 案件撤销", trust: true},
		{file: "expired", status: "已到期 expired", trust: true},
		{file: "early", status: "尚未生效 not good yet", trust: true},
	} {
		args := []string{"mandate", "show", p.at(c.file)}
		if c.trust {
			args = append(args, p.judge()...)
		}
		out, errOut, exit := tool(t, "", args...)
		if exit != c.exit || !strings.Contains(out, "状态 status: "+c.status+"\n") {
			t.Errorf("%v: status %d\n%s%s", args, exit, out, errOut)
		}
	}
	for name, file := range map[string]string{"not_yet": "early", "expired": "expired"} {
		p.fails(": 不予提供 refused: "+name+"\n", append([]string{"status", p.at(file)}, p.judge()...)...)
	}
	p.fails("is signed already\nhint: 要撤回的", "sign", p.at("signed"), "--out", p.at("no"), "--key", p.at("approver.key"))
}

// expired is a signed mandate of a day that ended five days after it began.
func (p office) expired(from time.Time) []byte {
	text, err := os.ReadFile(p.at("form.json"))
	must(p.t, err)
	form, err := mandate.ParseForm(text)
	must(p.t, err)
	form.From, form.Until, form.Issued, form.Expires = from.AddDate(0, 0, -1), from, from, from.AddDate(0, 0, 5)
	text, err = json.Marshal(form)
	must(p.t, err)
	must(p.t, os.WriteFile(p.at("expired.json"), text, 0o600))
	p.fails("expired (", append([]string{"sign", p.at("expired.json"), "--out", p.at("no"), "--key", p.at("approver.key")}, p.judge()...)...)
	p.fails("expired (", "new", "--form", p.at("expired.json"), "--out", p.at("no"))
	return p.signed("expired.json", from)
}

// signed is a form as the approver signs it at a time.
func (p office) signed(name string, at time.Time) []byte {
	text, err := os.ReadFile(p.at(name))
	must(p.t, err)
	form, err := mandate.ParseForm(text)
	must(p.t, err)
	m, err := form.Mandate(at)
	must(p.t, err)
	key, err := keys.LoadPrivateKey(p.at("approver.key"))
	must(p.t, err)
	envelope, err := mandates.Sign(m, "city", key)
	must(p.t, err)
	return envelope
}

// TestMandatePapers: what is handed out can be read by others and the rest can't; who asks for everybody is
// told; a form without a reference shows none; another registry's paper is told as such.
func TestMandatePapers(t *testing.T) {
	p := newOffice(t)
	sign := append([]string{"sign", p.at("form.json"), "--out", p.at("signed"), "--key", p.at("approver.key")}, p.judge()...)
	const note = "注意：没有写明对象，调取的是时间段内经过的所有人 note: nobody is named"
	if out := p.ok("", sign...); !strings.Contains(out, note) {
		t.Errorf("sign: %s", out)
	}
	text, err := os.ReadFile(p.at("form.json"))
	must(t, err)
	form, err := mandate.ParseForm(text)
	must(t, err)
	put := func(name string) string {
		b, err := json.Marshal(form)
		must(t, err)
		must(t, os.WriteFile(p.at(name), b, 0o600))
		return p.at(name)
	}
	if out := p.ok("", "new", "--form", put("all.json"), "--out", p.at("all")); !strings.Contains(out, note) {
		t.Errorf("new: %s", out)
	}
	form.Flats, form.Reference = []string{"101"}, ""
	if out := p.ok("", "new", "--form", put("flat.json"), "--out", p.at("flat")); strings.Contains(out, "note:") {
		t.Errorf("new: %s", out)
	}
	form.From = form.From.In(time.FixedZone("", -3*3600-1800))
	if out := p.ok("", "show", put("flat.json")); !strings.Contains(out, "编号 reference: 签发时生成 made when it is signed\n") ||
		!strings.Contains(out, "时间段 span: "+form.From.Format("2006-01-02 15:04:05 -07:00 – ")) || !strings.Contains(out, "时间 times: 按表格写明的时区 by the time zone that the form has, -03:30\n") {
		t.Errorf("show: %s", out)
	}
	p.fails("can't be written", "key", p.at("nowhere/key"))
	p.fails("FILE 指定可写目录中的新文件", "key", p.at("nowhere/key"), "--receive")
	form.Registry = "village"
	p.ok("", "sign", put("village.json"), "--out", p.at("village"), "--key", p.at("approver.key"))
	p.fails("other_registry", append([]string{"status", p.at("village")}, p.judge()...)...)
	p.fails("other_registry", append([]string{"show", p.at("village")}, p.judge()...)...)
	p.fails("take trust.cose and root.pub", append([]string{"sign", p.at("village.json"), "--out", p.at("no"), "--key", p.at("approver.key")}, p.judge()...)...)
	p.fails("hint: 看签名程序的提示", "sign", p.at("form.json"), "--out", p.at("no"), "--sign-with", "false", "--public", p.at("approver.key.pub"))
	for name, mode := range map[string]os.FileMode{"inbox.key": 0o600, "inbox.key.pub": 0o644, "one.key": 0o600, "one.key.pub": 0o644, "form.json": 0o600, "signed": 0o600} {
		if info, err := os.Stat(p.at(name)); err != nil || info.Mode().Perm() != mode && runtime.GOOS != "windows" {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestMandateDraft: answers that are refused at the end are kept, and what the hint says works.
func TestMandateDraft(t *testing.T) {
	p := newOffice(t)
	lines := strings.Split(p.answers(), "\n")
	lines[len(lines)-4] = "200"
	out, errOut, status := tool(t, strings.Join(lines, "\n"), "mandate", "new", "--out", p.at("wide.json"))
	if status != 1 || !strings.Contains(errOut, "too_wide") || !strings.Contains(errOut, "the answers are in "+p.at("wide.json.draft")) {
		t.Fatalf("status %d\n%s%s", status, out, errOut)
	}
	text, err := os.ReadFile(p.at("wide.json.draft"))
	must(t, err)
	form, err := mandate.ParseForm(text)
	must(t, err)
	form.Answers = 2
	text, err = json.Marshal(form)
	must(t, err)
	must(t, os.WriteFile(p.at("wide.json.draft"), text, 0o600))
	p.ok("", "new", "--form", p.at("wide.json.draft"), "--out", p.at("wide.json"))
	lines[len(lines)-4], lines[len(lines)-2] = "2", "0\n刑事诉讼法第五十四条"
	if out, errOut, status := tool(t, strings.Join(lines, "\n"), "mandate", "new", "--out", p.at("never.json")); status != 0 {
		t.Errorf("nobody is told: %s%s", out, errOut)
	}
	if out := p.ok("", "show", p.at("never.json")); !strings.Contains(out, "不告知，依据 nobody is told, by: 刑事诉讼法第五十四条\n") {
		t.Errorf("show: %s", out)
	}
	short := strings.Join(strings.Split(p.answers(), "\n")[:25], "\n") // the last answers are missing
	if _, errOut, status := tool(t, short, "mandate", "new", "--out", p.at("cut.json")); status != 1 || !strings.Contains(errOut, "as --help has it") {
		t.Errorf("cut off: %d, %s", status, errOut)
	}
	out, _, _ = tool(t, "", "mandate", "new", "--help")
	help := strings.Join(strings.Fields(out), " ")
	for _, asked := range []string{"registry", "purpose", "emergency", "validating", "officers", "district", "flats", "until", "recipient", "days", "may be told"} {
		_, after, has := strings.Cut(help, asked)
		if help = after; !has {
			t.Errorf("the help lacks %q, or has it too early", asked)
		}
	}
	lines[6] = "maybe"
	if _, errOut, status := tool(t, strings.Join(lines, "\n"), "mandate", "new", "--out", p.at("maybe.json")); status != 1 || !strings.Contains(errOut, "this is no answer") {
		t.Errorf("maybe an emergency: %d, %s", status, errOut)
	}
}

// TestMandateForms: what a signed mandate says is the form again.
func TestMandateForms(t *testing.T) {
	p := newOffice(t)
	p.ok("", "sign", p.at("form.json"), "--out", p.at("signed"), "--key", p.at("approver.key"))
	out, errOut, status := tool(t, "", "--json", "mandate", "show", p.at("signed"))
	var got, want map[string]any
	text, err := os.ReadFile(p.at("form.json"))
	must(t, err)
	if json.Unmarshal([]byte(out), &got) != nil || json.Unmarshal(text, &want) != nil || status != 0 {
		t.Fatalf("%s%s", out, errOut)
	}
	for _, field := range []string{"registry", "reference", "gateways", "officers", "recipient", "case", "purpose", "answers"} {
		a, _ := json.Marshal(got[field])
		b, _ := json.Marshal(want[field])
		if !bytes.Equal(a, b) {
			t.Errorf("%s: %s, in the form it is %s", field, a, b)
		}
	}
}

// TestMandateValidate: a second authority's approver signs for an emergency, from the very file, and
// nothing is signed that the registry would refuse; mandate show says what an emergency owes.
func TestMandateValidate(t *testing.T) {
	p := newOffice(t)
	var form map[string]any
	text, err := os.ReadFile(p.at("form.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &form))
	now := time.Now().Truncate(time.Second)
	form["emergency"], form["answers"], form["validating"] = true, 1, map[string]string{}
	form["tell_from"] = now.AddDate(0, 0, 30)
	form["from"], form["until"], form["expires"] = now.Add(-24*time.Hour), now.Add(-time.Hour), now.Add(20*time.Hour)
	text, err = json.Marshal(form)
	must(t, err)
	must(t, os.WriteFile(p.at("urgent.json"), text, 0o600))
	p.ok("", append([]string{"sign", p.at("urgent.json"), "--out", p.at("urgent"), "--key", p.at("approver.key")}, p.judge()...)...)
	p.ok("", append([]string{"sign", p.at("form.json"), "--out", p.at("ordinary"), "--key", p.at("approver.key")}, p.judge()...)...)
	if out := p.ok("", "show", p.at("urgent")); !strings.Contains(out, "逾期未审核满 3 份") || !strings.Contains(out, "with 3 that nobody did the registry answers the approver no further emergency") {
		t.Errorf("show: %s", out)
	}
	validate := func(paper, key, authority string) []string {
		return append([]string{"validate", p.at(paper), "--out", p.at("validation"), "--authority", authority, "--file", "440000-9", "--key", p.at(key)}, p.judge()...)
	}
	p.fails("unknown_approver", validate("urgent", "other.key", "北区分局")...)
	approvers := func(town string) {
		var all []approver.Approver
		for seat, name := range []string{"approver.key", "other.key"} {
			key, err := keys.LoadPrivateKey(p.at(name))
			must(t, err)
			all = append(all, approver.Approver{Seat: []string{"xin-1", "xin-2"}[seat], Public: [32]byte(key.Public().(ed25519.PublicKey)), District: "north", Town: []string{"xin", town}[seat]})
		}
		p.trust(all...)
	}
	approvers("lao")
	p.fails("not_held", validate("urgent", "other.key", "北区分局")...)
	approvers("xin")
	p.fails("own_validation", validate("urgent", "approver.key", "北区分局")...)
	p.fails("own_validation", validate("urgent", "other.key", "新镇派出所")...)
	p.fails("no_emergency", validate("ordinary", "other.key", "北区分局")...)
	p.fails("a form that nobody has signed", validate("urgent.json", "other.key", "北区分局")...)
	if _, err := os.Stat(p.at("validation")); err == nil {
		t.Error("a validation that the registry refuses is written")
	}
	if out := p.ok("", validate("urgent", "other.key", "北区分局")...); !strings.Contains(out, "已审核 validated: ") || !strings.Contains(out, "registryd mandate validate "+p.at("validation")) {
		t.Errorf("it says %s", out)
	}
}
