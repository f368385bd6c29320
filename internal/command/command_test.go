package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"gatehouse/internal/socket"
)

type tool struct {
	Do struct {
		Door string `required:""`
	} `cmd:""`
	Door struct {
		Open struct {
			Wide bool
		} `cmd:""`
		Shut struct{} `cmd:""`
	} `cmd:""`
	Wait struct {
		Long bool
	} `cmd:"" default:"withargs"`
}

func TestParse(t *testing.T) {
	for args, want := range map[string]struct {
		status   int
		out, err string
	}{
		"do --door front": {0, "", ""},
		"--help":          {0, "Usage: knock", ""},
		"do":              {2, "", "hint: knock do --help has its flags and arguments\n"},
		"open":            {2, "", "knock: unexpected argument open\nhint: knock --help lists the commands\n"},
		"--wide":          {2, "", "knock: unknown flag --wide\nhint: knock --help lists the commands\n"},
		"door":            {2, "", "hint: knock door --help lists the commands\n"},
		"door open --far": {2, "", "knock: unknown flag --far\nhint: knock door open --help has its flags and arguments\n"},
		"wait open":       {2, "", "knock: unexpected argument open\nhint: knock wait --help has its flags and arguments\n"},
	} {
		var c tool
		var out, errOut bytes.Buffer
		cmd, status := Tool{Name: "knock", Version: "1", Out: &out, Err: &errOut}.Parse(&c, strings.Fields(args))
		if status != want.status || (cmd != nil) != (args == "do --door front") || !strings.Contains(out.String(), want.out) || !strings.Contains(errOut.String(), want.err) {
			t.Errorf("%s: status %d\n%s%s", args, status, &out, &errOut)
		}
	}
}

func TestComplain(t *testing.T) {
	err := fmt.Errorf("open: %w", socket.Hinted("knock first", "%s is locked", "front"))
	for asJSON, want := range map[bool]string{
		false: "knock: open: front is locked\nhint: knock first\n",
		true:  `{"error":"open: front is locked","hint":"knock first"}` + "\n",
	} {
		var b bytes.Buffer
		if (Console{Name: "knock", JSON: asJSON, Err: &b}).Complain(err); b.String() != want {
			t.Errorf("%q, want %q", &b, want)
		}
	}
	var fail *socket.Error
	if !errors.As(err, &fail) {
		t.Error("what callers branch on is gone")
	}
}

func TestPrint(t *testing.T) {
	people := func(w io.Writer) { fmt.Fprint(w, "two doors\n") }
	for asJSON, want := range map[bool]string{false: "two doors\n", true: "2\n"} {
		var b bytes.Buffer
		if err := (Console{JSON: asJSON, Out: &b}).Print(2, nil, people); err != nil || b.String() != want {
			t.Errorf("%q, %v; want %q", &b, err, want)
		}
	}
}

// TestTable: columns stand below each other on a terminal, where a Chinese letter takes two places; the last is not
// filled up.
func TestTable(t *testing.T) {
	var b strings.Builder
	Table(&b, [][]string{{"刷卡", "front", "a"}, {"Card again", "", ""}, {"（半）", "x", "b"}}, []string{"事件", "门", "开门"}, func(r []string) []string { return r })
	want := "事件        门     开门\n" +
		"刷卡        front  a\n" +
		"Card again         \n" +
		"（半）      x      b\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestColumns: a line may have fewer cells than the others, and its last widens no column.
func TestColumns(t *testing.T) {
	var b strings.Builder
	Columns(&b, [][]string{{"门 front", "已锁", "lock secured"}, {"fire", "no signal for an hour"}, {"", "x", "y"}, {"a line alone, which is long"}, {}})
	want := "门 front  已锁  lock secured\n" +
		"fire      no signal for an hour\n" +
		"          x     y\n" +
		"a line alone, which is long\n\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
