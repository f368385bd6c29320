package reception

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/device/idcard/idcardtest"
)

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// withDigit adds the check digit to 17 made-up ones.
func withDigit(digits string) string {
	sum := 0
	for i := range digits {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

func citizenNumber() string { return withDigit("44000019900307123") }

// Cards of made-up people, of areas that were never given out.
var (
	cardCitizen   = idcardtest.Card{Kind: ' ', Name: "测试甲", Number: citizenNumber(), Until: "长期"}
	cardExpired   = idcardtest.Card{Kind: 'J', Name: "测试乙", Number: withDigit("81000019000307123"), Until: "20200101"}
	cardForeigner = idcardtest.Card{Kind: 'Y', English: "TESTPERSON, DREI", Name: "测试丙", Number: withDigit("94400019900307001"), Until: "29990101"}
	cardOld       = idcardtest.Card{Kind: 'I', English: "TESTPERSON, VIER", Number: "ZZZ440090030701", Until: "29990101"}
	cardChild     = idcardtest.Card{Kind: ' ', Name: "测试丁", Number: withDigit("440000" + time.Now().AddDate(-13, 0, 0).Format("20060102") + "123"), Until: "29990101"}
	cardWrong     = idcardtest.Card{Kind: ' ', Name: "测试戊", Number: "440000199003071230", Until: "29990101"}
	cardLong      = idcardtest.Card{Kind: ' ', Name: "测试一二三四五六七八九十甲乙丙", Number: citizenNumber(), Until: "29990101"}
)

// moduleAtDesk is a module on a pseudo-terminal.
func moduleAtDesk(t *testing.T) (*idcardtest.Module, string) {
	t.Helper()
	m, err := idcardtest.NewTerminal(filepath.Join(t.TempDir(), "idcard"), 1)
	noErr(t, err)
	done := make(chan error, 1)
	go func() { done <- m.Run(t.Context()) }()
	t.Cleanup(func() {
		<-done // the test's context has ended
		_ = m.Close()
	})
	return m, m.Path()
}

// heard is what a terminal shows; a test waits for its words.
type heard struct {
	mu sync.Mutex
	b  strings.Builder
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}
