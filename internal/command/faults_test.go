package command

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/socket"
)

// form is a command that judges its arguments.
type form struct {
	Name string `required:""`
	Days int
}

func (f form) Faults() (wrong Faults) {
	wrong.Need("--name", f.Name)
	wrong.Unless(f.Days > 0, "from 1 on", "--days %d\x1b[2J", f.Days)
	return wrong
}

// TestFaults: one fault is told as it is, several are counted, each with its hint; none is no error.
func TestFaults(t *testing.T) {
	var f Faults
	if err := f.Err(); err != nil {
		t.Error(err)
	}
	f.Add(nil)
	f.Add(socket.Hinted("knock", "it is locked"))
	var e *socket.Error
	if err := f.Err(); !errors.As(err, &e) || e.Hint != "knock" {
		t.Errorf("one: %v", err)
	}
	if f.Need("--door", "") || !f.Need("--key", "x") {
		t.Error("a flag is needed that has a value, or none that has none")
	}
	want := "有 2 处不对，什么都没有做 2 things are wrong, and nothing was done:\n  1. 缺少 missing: --door\n     hint: 都要写，--help 有说明 write all of them; --help says what each is\n  2. it is locked\n     hint: knock"
	if err := f.Err(); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestParseTellsAll: a call that lacks a flag is told all else that its command finds wrong, and nothing of it works on the
// terminal.
func TestParseTellsAll(t *testing.T) {
	var c struct {
		Form form     `cmd:""`
		Do   struct { // which judges nothing
			Door string `required:""`
		} `cmd:""`
	}
	for args, want := range map[string]string{
		"form --days 0":          "2 things are wrong, and nothing was done:\n  1. 缺少 missing: --name\n     hint: 都要写，--help 有说明 write all of them; --help says what each is\n  2. --days 0\\u001b[2J\n     hint: from 1 on\nhint: knock form --help",
		"form --days 1":          "knock: 缺少 missing: --name\nhint: knock form --help",
		"form --days 0 --name x": "",
		"do":                     "knock: missing flags: --door=STRING\n",
	} {
		var out, errOut bytes.Buffer
		cmd, status := Tool{Name: "knock", Version: "1", Out: &out, Err: &errOut}.Parse(&c, strings.Fields(args))
		if (cmd == nil) != (want != "") || cmd == nil && status != 2 || !strings.Contains(errOut.String(), want) {
			t.Errorf("%s: %d\n%s", args, status, &errOut)
		}
	}
}
