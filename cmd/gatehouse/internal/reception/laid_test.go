package reception

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device/idcard"
	"gatehouse/device/idcard/idcardtest"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

// TestLaidCards: what the kinds of card answer.
func TestLaidCards(t *testing.T) {
	m, port := moduleAtDesk(t)
	for name, c := range map[string]struct {
		card           idcardtest.Card
		given          string // in JSON
		document, says string
		remark, fails  string
	}{
		"citizen":            {cardCitizen, `{}`, "resident_id", "测试甲", "", ""},
		"residence":          {cardExpired, `{}`, "residence_permit", cardExpired.Name, "no longer valid", ""},
		"foreigner":          {cardForeigner, `{}`, "foreigner_card", cardForeigner.English, "", ""},
		"old foreigner":      {cardOld, `{}`, "foreigner_card", cardOld.English, "", ""},
		"child":              {cardChild, `{}`, "resident_id", cardChild.Name, "", ""},
		"long name":          {cardLong, `{}`, "resident_id", cardLong.Name, "compare it", ""},
		"wrong check digit":  {cardWrong, `{}`, "", "", "", "check digit"},
		"agrees":             {cardForeigner, `{"document":"foreigner-card","name":" 测试丙 "}`, "foreigner_card", " 测试丙 ", "", ""},
		"number agrees":      {cardOld, `{"number":"zzz4400 900307 01"}`, "foreigner_card", cardOld.English, "", ""},
		"another document":   {cardCitizen, `{"document":"passport"}`, "", "", "", "another document"},
		"another number":     {cardCitizen, `{"number":"440000199003071230"}`, "", "", "", "number in the answers"},
		"another name":       {cardCitizen, `{"name":"Testperson Zwei"}`, "", "", "", "name in the answers"},
		"no card is read":    {cardWrong, `{"document":"passport","number":"E0000000","name":"Testperson Zwei"}`, "passport", "Testperson Zwei", "", ""},
		"JSON that is wrong": {cardCitizen, `{"name":1}`, "", "", "", "name must be a string"},
	} {
		m.Place(c.card)
		var errOut bytes.Buffer
		s := &session.Session{Ctx: t.Context(), Console: command.Console{In: strings.NewReader(c.given), Err: &errOut}}
		a, err := CheckIn{Answers: "-", idCardReader: idCardReader{port, 115200}}.gather(visit{s, control.Desk{TimeZone: "Asia/Shanghai", Trusted: true}})
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
	m, port := moduleAtDesk(t)
	m.Place(cardCitizen)
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
		s := &session.Session{Ctx: t.Context(), Console: command.Console{In: strings.NewReader("\n"), Err: io.Discard}}
		_, err := CheckIn{idCardReader: idCardReader{c.port, c.baud}}.gather(visit{s, control.Desk{}})
		if err == nil {
			t.Fatalf("%s: done", name)
		}
		var told bytes.Buffer
		command.Console{Err: &told}.Complain(err)
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
	said   heard
	at     int // up to where it was read
}

func newConsole(t *testing.T) *console {
	t.Helper()
	master, slave, err := pty.Open()
	noErr(t, err)
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
	noErr(c.t, err)
}

// gather answers a check-in's questions at the console, the first ones by act.
func (c *console) gather(port string, desk control.Desk, act func()) answers {
	c.t.Helper()
	s := &session.Session{Ctx: c.t.Context(), Client: statusDaemon(c.t, control.Status{Registry: "r1", Journal: control.Journal{WhoDays: 60}}), Console: command.Console{In: c.slave, Err: command.Screen{To: c.slave}}}
	type result struct {
		answers
		err error
	}
	done := make(chan result, 1)
	go func() {
		a, err := CheckIn{idCardReader: idCardReader{port, 115200}}.gather(visit{s, desk})
		done <- result{a, err}
	}()
	act()
	for _, q := range [][2]string{{"flat", "3B"}, {"your own word", ""}, {"doors", ""}, {"first day", ""}, {"last day", ""},
		{"legal basis", "contract"}, {"told what is kept", "yes"}, {"PIN", ""}} {
		c.answer(q[0], q[1])
	}
	if told := c.said.String(); !strings.Contains(told, "after 60 to 67 days") || !strings.Contains(told, "60 到 67 天") {
		c.t.Error("the tenant's notice does not stand before the question")
	}
	r := <-done
	noErr(c.t, r.err)
	return r.answers
}

// TestAtTerminal: what is read is shown and confirmed, what fails is told and
// asked again, typing is always possible, and a child is not shown.
func TestAtTerminal(t *testing.T) {
	m, port := moduleAtDesk(t)
	desk := control.Desk{TimeZone: "Asia/Shanghai", Trusted: true}
	n := citizenNumber()

	c := newConsole(t)
	m.Place(cardWrong)
	a := c.gather(port, desk, func() {
		c.answer("press Enter", "")
		c.answer("check digit", "")
		m.Place(cardExpired)
		c.answer("测试乙, residence_permit 810000********", "")
		c.answer("no longer valid", "")
		c.answer("this person's card?", "no")
		m.Place(cardCitizen)
		c.answer("press Enter", "")
		c.answer("测试甲, resident_id 440000********"+n[14:], "yes")
	})
	if a.Document != "resident_id" || a.Number != n || a.Name != cardCitizen.Name || len(a.remarks) != 0 || a.Flat != "3B" {
		t.Errorf("%q %q, remarks %q", a.Document, a.Flat, a.remarks)
	}
	for _, raw := range []string{n, "19900307", cardWrong.Name, cardExpired.Number} {
		if strings.Contains(c.said.String(), raw) {
			t.Errorf("%q is on the screen", raw)
		}
	}

	c = newConsole(t)
	m.Place(cardChild)
	a = c.gather(port, desk, func() {
		c.answer("press Enter", "")
		c.answer("not shown", "yes")
	})
	if a.Name != cardChild.Name || strings.Contains(c.said.String(), cardChild.Name) || strings.Contains(c.said.String(), cardChild.Number[14:]) {
		t.Errorf("a child: %s", c.said.String())
	}

	c = newConsole(t)
	m.Misbehave(idcardtest.Faults{Status: 0x66})
	m.Place(cardCitizen)
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
	m, port := moduleAtDesk(t)
	for trusted, want := range map[bool][2]bool{false: {true, false}, true: {false, true}} {
		m.Place(cardExpired)
		r, err := idCardReader{port, 115200}.read(t.Context())
		noErr(t, err)
		l, err := laid(r, control.Desk{TimeZone: "Asia/Shanghai", Trusted: trusted}, time.Now())
		if err != nil || l.child != want[0] || l.expired != want[1] {
			t.Errorf("trusted %v: child %v, expired %v, %v", trusted, l.child, l.expired, err)
		}
		var shown bytes.Buffer
		l.show(&shown)
		if strings.Contains(shown.String(), cardExpired.Name) {
			t.Errorf("shown where no terminal is: %s", &shown)
		}
	}
	// The last day counts, in the building's time.
	for at, want := range map[string]bool{"2020-01-01T15:59:59Z": false, "2020-01-01T16:00:00Z": true} {
		m.Place(cardExpired)
		r, err := idCardReader{port, 115200}.read(t.Context())
		noErr(t, err)
		now, err := time.Parse(time.RFC3339, at)
		noErr(t, err)
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
