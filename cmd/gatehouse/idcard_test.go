package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"gatehouse/device/idcard"
	"gatehouse/device/idcard/idcardtest"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

// numbered adds the check digit to 17 made-up ones.
func numbered(digits string) string {
	sum := 0
	for i := range digits {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

// made-up people, of areas that were never given out.
var (
	laidTenant    = idcardtest.Card{Kind: ' ', Name: tenantName, Number: tenantNumber(), Until: "长期"}
	laidCitizen   = idcardtest.Card{Kind: ' ', Name: "测试甲", Number: tenantNumber(), Until: "长期"}
	laidExpired   = idcardtest.Card{Kind: 'J', Name: "测试乙", Number: numbered("81000019000307123"), Until: "20200101"}
	laidForeigner = idcardtest.Card{Kind: 'Y', English: "TESTPERSON, DREI", Name: "测试丙", Number: numbered("94400019900307001"), Until: "29990101"}
	laidOld       = idcardtest.Card{Kind: 'I', English: "TESTPERSON, VIER", Number: "ZZZ440090030701", Until: "29990101"}
	laidChild     = idcardtest.Card{Kind: ' ', Name: "测试丁", Number: numbered("440000" + time.Now().AddDate(-13, 0, 0).Format("20060102") + "123"), Until: "29990101"}
	laidWrong     = idcardtest.Card{Kind: ' ', Name: "测试戊", Number: "440000199003071230", Until: "29990101"}
	laidLong      = idcardtest.Card{Kind: ' ', Name: "测试一二三四五六七八九十甲乙丙", Number: tenantNumber(), Until: "29990101"}
)

// idCardDesk is a module on a pseudo-terminal.
func idCardDesk(t *testing.T) (*idcardtest.Module, string) {
	t.Helper()
	m, err := idcardtest.NewTerminal(filepath.Join(t.TempDir(), "idcard"), 1)
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- m.Run(t.Context()) }()
	t.Cleanup(func() {
		<-done // the test's context has ended
		_ = m.Close()
	})
	return m, m.Path()
}

// TestCheckInByCard: with the daemon, and a card that answers instead of the
// landlord. Nobody's name or number stands anywhere afterwards.
func TestCheckInByCard(t *testing.T) {
	b := newBench(t)
	b.enrolled()
	stop := b.serve()
	b.ok("", "clock", "confirm")
	m, port := idCardDesk(t)
	m.Misbehave(idcardtest.Faults{Split: true, Noise: 3, WrongCheck: 1})
	m.Place(laidTenant)
	swipes := []swipe{{door: "front", card: tenantCard}, {door: "yard", card: tenantCard}}
	status, out, errOut := b.with(lines("", "3B", "left door", "", "", "", "contract", "yes", "4711"), swipes, "checkin", "--id-card", port)
	if status != 0 || !strings.Contains(out, "3B (left door): its card opens front, yard now") {
		t.Fatalf("status %d: %s%s", status, out, errOut)
	}
	said := out + errOut
	b.opens(tenantCard, "front", "yard")

	m.Misbehave(idcardtest.Faults{})
	m.Place(laidExpired)
	t.Setenv("GATEHOUSE_ID_CARD", port)
	const second = tenantCard + 2
	status, out, errOut = b.with(`{"flat":"3A","basis":"contract","informed":true}`, []swipe{{door: "yard", card: second}}, "--json", "checkin", "--answers", "-", "--reader", "yard", "--once")
	var done control.Done
	if status != 0 || json.Unmarshal([]byte(out), &done) != nil || !strings.Contains(strings.Join(done.Remarks, " "), "no longer valid") {
		t.Fatalf("status %d: %s%s", status, out, errOut)
	}
	said += out + errOut
	_, shown, _ := b.tool("", "log", "--all")
	_, listed, _ := b.tool("", "--json", "tenancy", "list")
	said += shown + listed
	stop()
	b.nobody(said)
	for _, raw := range []string{laidExpired.Name, laidExpired.Number} {
		if strings.Contains(said, raw) {
			t.Error("the second tenant stands somewhere")
		}
	}
}

// TestLaidCards: what the kinds of card answer.
func TestLaidCards(t *testing.T) {
	m, port := idCardDesk(t)
	for name, c := range map[string]struct {
		card           idcardtest.Card
		given          string // in JSON
		document, says string
		remark, fails  string
	}{
		"citizen":            {laidCitizen, `{}`, "resident_id", "测试甲", "", ""},
		"residence":          {laidExpired, `{}`, "residence_permit", laidExpired.Name, "no longer valid", ""},
		"foreigner":          {laidForeigner, `{}`, "foreigner_card", laidForeigner.English, "", ""},
		"old foreigner":      {laidOld, `{}`, "foreigner_card", laidOld.English, "", ""},
		"child":              {laidChild, `{}`, "resident_id", laidChild.Name, "", ""},
		"long name":          {laidLong, `{}`, "resident_id", laidLong.Name, "compare it", ""},
		"wrong check digit":  {laidWrong, `{}`, "", "", "", "check digit"},
		"agrees":             {laidForeigner, `{"document":"foreigner-card","name":" 测试丙 "}`, "foreigner_card", " 测试丙 ", "", ""},
		"number agrees":      {laidOld, `{"number":"zzz4400 900307 01"}`, "foreigner_card", laidOld.English, "", ""},
		"another document":   {laidCitizen, `{"document":"passport"}`, "", "", "", "another document"},
		"another number":     {laidCitizen, `{"number":"440000199003071230"}`, "", "", "", "number in the answers"},
		"another name":       {laidCitizen, `{"name":"Testperson Zwei"}`, "", "", "", "name in the answers"},
		"no card is read":    {laidWrong, `{"document":"passport","number":"E0000000","name":"Testperson Zwei"}`, "passport", "Testperson Zwei", "", ""},
		"JSON that is wrong": {laidCitizen, `{"name":1}`, "", "", "", "name must be a string"},
	} {
		m.Place(c.card)
		var errOut bytes.Buffer
		s := &session{ctx: t.Context(), in: strings.NewReader(c.given), err: &errOut}
		a, err := checkInCmd{Answers: "-", idCardReader: idCardReader{port, 115200}}.gather(visit{s, control.Desk{TimeZone: "Asia/Shanghai", Trusted: true}})
		said := errOut.String()
		if err != nil {
			said += err.Error()
		}
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s: %v", name, err)
		case c.fails == "" && (err != nil || a.Document != c.document || a.Name != c.says):
			t.Errorf("%s: %q %v", name, a.Document, err)
		case !strings.Contains(strings.Join(a.remarks, " "), c.remark) || c.remark == "" && len(a.remarks) > 0:
			t.Errorf("%s: remarks %q", name, a.remarks)
		case strings.Contains(said, "测试") || strings.Contains(strings.ToLower(said), "testperson") || strings.Contains(said, c.card.Number):
			t.Errorf("%s: it is told: %s", name, said)
		}
	}
}

// TestModuleFails: what goes wrong is told with what to do, and typing is offered.
func TestModuleFails(t *testing.T) {
	m, port := idCardDesk(t)
	m.Place(laidCitizen)
	for name, c := range map[string]struct {
		faults idcardtest.Faults
		port   string
		baud   int
		words  []string
	}{
		"refuses": {idcardtest.Faults{Status: 0x66}, port, 115200, []string{"not authorised", "SW3 66", "type what the document says"}},
		"no card": {idcardtest.Faults{Status: 0x40}, port, 115200, []string{"no identity card", "passports and travel permits are typed"}},
		"silent":  {idcardtest.Faults{Silent: true}, port, 115200, []string{"does not answer", "baud rate", "gatehouse idcard test", "type what"}},
		"no port": {idcardtest.Faults{}, port + "x", 115200, []string{"no such file", "/dev/serial/by-id", "type what"}},
		"baud":    {idcardtest.Faults{}, port, 115201, []string{"115201", "115200, 57600"}},
	} {
		m.Misbehave(c.faults)
		s := &session{ctx: t.Context(), in: strings.NewReader("\n"), err: io.Discard}
		_, err := checkInCmd{idCardReader: idCardReader{c.port, c.baud}}.gather(visit{s, control.Desk{}})
		if err == nil {
			t.Fatalf("%s: done", name)
		}
		var told bytes.Buffer
		(&session{err: &told}).complain(err)
		for _, w := range c.words {
			if !strings.Contains(told.String(), w) {
				t.Errorf("%s: %q does not say %q", name, told.String(), w)
			}
		}
	}
}

// console is a terminal with somebody at it.
type console struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	said   prompts
	at     int // up to where it was read
}

func newConsole(t *testing.T) *console {
	t.Helper()
	master, slave, err := pty.Open()
	must(t, err)
	c := &console{t: t, master: master, slave: slave}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&c.said, master)
	}()
	t.Cleanup(func() {
		_ = slave.Close()
		<-done
		_ = master.Close()
	})
	return c
}

// answer waits for words behind those of the last one, and types a line.
func (c *console) answer(words, line string) {
	c.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if i := strings.Index(c.said.String()[c.at:], words); i >= 0 {
			c.at += i + len(words)
			break
		}
		if time.Now().After(end) {
			c.t.Fatalf("never said %q: %s", words, c.said.String()[c.at:])
		}
	}
	_, err := io.WriteString(c.master, line+"\n")
	must(c.t, err)
}

// gather answers a check-in's questions at the console, the first ones by act.
func (c *console) gather(port string, desk control.Desk, act func()) answers {
	c.t.Helper()
	s := &session{ctx: c.t.Context(), in: c.slave, err: command.Screen{To: c.slave}}
	type result struct {
		answers
		err error
	}
	done := make(chan result, 1)
	go func() {
		a, err := checkInCmd{idCardReader: idCardReader{port, 115200}}.gather(visit{s, desk})
		done <- result{a, err}
	}()
	act()
	for _, q := range [][2]string{{"flat", "3B"}, {"your own word", ""}, {"doors", ""}, {"first day", ""}, {"last day", ""},
		{"legal basis", "contract"}, {"told what is kept", "yes"}, {"PIN", ""}} {
		c.answer(q[0], q[1])
	}
	r := <-done
	must(c.t, r.err)
	return r.answers
}

// TestAtTerminal: what is read is shown and confirmed, what fails is told and
// asked again, typing is always possible, and a child is not shown.
func TestAtTerminal(t *testing.T) {
	m, port := idCardDesk(t)
	desk := control.Desk{TimeZone: "Asia/Shanghai", Trusted: true}
	n := tenantNumber()

	c := newConsole(t)
	m.Place(laidWrong)
	a := c.gather(port, desk, func() {
		c.answer("press Enter", "")
		c.answer("check digit", "")
		m.Place(laidExpired)
		c.answer("测试乙, residence_permit 810000********", "")
		c.answer("no longer valid", "")
		c.answer("this person's card?", "no")
		m.Place(laidCitizen)
		c.answer("press Enter", "")
		c.answer("测试甲, resident_id 440000********"+n[14:], "yes")
	})
	if a.Document != "resident_id" || a.Number != n || a.Name != laidCitizen.Name || len(a.remarks) != 0 || a.Flat != "3B" {
		t.Errorf("%q %q, remarks %q", a.Document, a.Flat, a.remarks)
	}
	for _, raw := range []string{n, "19900307", laidWrong.Name, laidExpired.Number} {
		if strings.Contains(c.said.String(), raw) {
			t.Errorf("%q is on the screen", raw)
		}
	}

	c = newConsole(t)
	m.Place(laidChild)
	a = c.gather(port, desk, func() {
		c.answer("press Enter", "")
		c.answer("not shown", "yes")
	})
	if a.Name != laidChild.Name || strings.Contains(c.said.String(), laidChild.Name) || strings.Contains(c.said.String(), laidChild.Number[14:]) {
		t.Errorf("a child: %s", c.said.String())
	}

	c = newConsole(t)
	m.Misbehave(idcardtest.Faults{Status: 0x66})
	m.Place(laidCitizen)
	a = c.gather(port, desk, func() {
		c.answer("press Enter", "")
		c.answer("or type what the document says", "nonsense")
		c.answer("this is no document", "passport")
		c.answer("number", "E0000000")
		c.answer("name", "Testperson Zwei")
	})
	if a.Document != "passport" || a.Name != "Testperson Zwei" {
		t.Errorf("typed: %q", a.Document)
	}
}

// TestClockThatCantTell: without a trusted clock nobody is of age, and no
// document is over.
func TestClockThatCantTell(t *testing.T) {
	m, port := idCardDesk(t)
	for trusted, want := range map[bool][2]bool{false: {true, false}, true: {false, true}} {
		m.Place(laidExpired)
		r, err := idCardReader{port, 115200}.read(t.Context())
		must(t, err)
		l, err := laid(r, control.Desk{TimeZone: "Asia/Shanghai", Trusted: trusted}, time.Now())
		if err != nil || l.child != want[0] || l.expired != want[1] {
			t.Errorf("trusted %v: child %v, expired %v, %v", trusted, l.child, l.expired, err)
		}
		var shown bytes.Buffer
		l.show(&shown)
		if strings.Contains(shown.String(), laidExpired.Name) {
			t.Errorf("shown where no terminal is: %s", &shown)
		}
	}
	// The last day counts, in the building's time.
	for at, want := range map[string]bool{"2020-01-01T15:59:59Z": false, "2020-01-01T16:00:00Z": true} {
		m.Place(laidExpired)
		r, err := idCardReader{port, 115200}.read(t.Context())
		must(t, err)
		now, err := time.Parse(time.RFC3339, at)
		must(t, err)
		if l, err := laid(r, control.Desk{TimeZone: "Asia/Shanghai", Trusted: true}, now); err != nil || l.expired != want {
			t.Errorf("%s: expired %v, %v", at, l.expired, err)
		}
	}
}

// TestDocumentsOfCards: every kind of card is a document.
func TestDocumentsOfCards(t *testing.T) {
	for k := idcard.Citizen; k <= idcard.OldForeigner; k++ {
		if d := idCardDocuments[k]; d < wire.DocumentResidentID || d > wire.LastDocument {
			t.Errorf("%v is no document", k)
		}
	}
}

// TestIDCardTest: the installer's question.
func TestIDCardTest(t *testing.T) {
	m, port := idCardDesk(t)
	m.Place(laidCitizen)
	var out, errOut bytes.Buffer
	call := func(args ...string) int {
		out.Reset()
		errOut.Reset()
		return run(t.Context(), args, strings.NewReader(""), &out, &errOut)
	}
	if s := call("idcard", "test", "--port", port); s != 0 || !strings.Contains(out.String(), "is ready, number 05.03-20200101-0000000001-0000000002") {
		t.Errorf("status %d: %s%s", s, &out, &errOut)
	}
	var state idCardState
	if s := call("--json", "idcard", "test", "--port", port, "--baud", "9600"); s != 0 || json.Unmarshal(out.Bytes(), &state) != nil || state.State != "ready" {
		t.Errorf("status %d: %s%s", s, &out, &errOut)
	}
	m.Misbehave(idcardtest.Faults{Silent: true})
	if s := call("idcard", "test", "--port", port); s != 1 || !strings.Contains(errOut.String(), "does not answer") || strings.Contains(errOut.String(), "type what") {
		t.Errorf("status %d: %s", s, &errOut)
	}
	if s := call("idcard", "test", "--port", port, "--baud", "4800"); s != 1 || !strings.Contains(errOut.String(), "4800") {
		t.Errorf("status %d: %s", s, &errOut)
	}
	for _, c := range m.Commands() {
		if c[0] >= 0x20 {
			t.Errorf("a test asks for %X", c)
		}
	}
}
