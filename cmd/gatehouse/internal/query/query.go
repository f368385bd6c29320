// Package query has the commands by which an officer asks the gateway on site what a mandate allows, and to
// preserve a part of the log until there is one.
//
// What is written is sealed to the recipient that the mandate names: this tool can't read it, and shows
// nothing of it.
package query

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Query is the command.
type Query struct {
	Mandate string  `required:"" help:"The signed mandate." placeholder:"FILE"`
	Out     string  `required:"" help:"New file for the sealed answer; gatehouse evidence open reads it with the recipient's key." placeholder:"FILE"`
	Use     *uint64 `help:"The answer of this use again, from 1: the same, and nothing is counted." placeholder:"N"`
}

// answered is what the command prints.
type answered struct {
	Refusal *control.MandateRefusal `json:"refusal,omitempty"`
	Use     uint64                  `json:"use,omitempty"`
	Again   bool                    `json:"again,omitempty"`
	Files   []written               `json:"files,omitempty"`
}

// written is a file of the answer.
type written struct {
	File   string    `json:"file"`
	SHA256 wire.Hash `json:"sha256"` // of the evidence file within
}

// Run asks, and writes what comes.
func (c Query) Run(s *session.Session) error {
	envelope, err := s.Paper(c.Mandate, "用 --mandate 写明审批人签名的调取令，即 gatehouse mandate sign --out 写出的文件 name with --mandate the signed mandate, which gatehouse mandate sign --out wrote")
	if err != nil {
		return err
	}
	use, err := c.use()
	if err != nil {
		return err
	}
	if err := writable(c.Out); err != nil {
		return err
	}
	got, err := control.InquiryRequest{Mandate: envelope, Use: use}.Ask(s.Ctx, s.Client)
	if err != nil {
		return session.InBoth(err)
	}
	out := answered{Refusal: got.Refusal, Use: got.Use, Again: got.Again}
	for i, f := range got.Files {
		name := fileName(c.Out, i)
		if err := save(name, f.Sealed); err != nil {
			return socket.Hinted(fmt.Sprintf("答复已计次，另取文件名再取 the answer was counted: ask for it again with --use %d and another --out", got.Use), "%v", err)
		}
		out.Files = append(out.Files, written{name, f.SHA256})
	}
	if err := s.Print(out, nil, out.write); err != nil {
		return err
	}
	if out.Refusal != nil {
		return socket.Hinted(out.Refusal.Do.ZH+" "+out.Refusal.Do.EN, "网关不予答复 the gateway does not answer the mandate: %s", out.Refusal.Code)
	}
	return nil
}

// use is the number of the answer that is asked for again; 0: a new one.
func (c Query) use() (uint64, error) {
	if c.Use == nil {
		return 0, nil
	}
	if *c.Use == 0 {
		return 0, socket.Hinted("新的查询不写 --use leave --use out for a new answer", "--use 从 1 起 counts from 1")
	}
	return *c.Use, nil
}

// writable tries to write the file before the gateway is asked: what it answers is counted.
func writable(out string) error {
	err := durable.CanCreate(out)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return socket.Hinted("用 --out 另取文件名 name another file with --out", "%s 已经存在 is there already", out)
	}
	return socket.Hinted("用 --out 指定可写目录中的新文件；尚未查询，未计次 name with --out a new file in a directory that is there and that you may write to: nothing was asked, and nothing is counted",
		"%s 不能写入 can't be written: %v", out, err)
}

// fileName is the name of a file of the answer: FILE, FILE-2 and so on, with the ending kept.
func fileName(out string, i int) string {
	if i == 0 {
		return out
	}
	ending := filepath.Ext(out)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(out, ending), i+1, ending)
}

func save(name string, sealed []byte) error {
	return durable.Create(name, func(temp string) error { return os.WriteFile(temp, sealed, 0o600) })
}

// write prints the form of a refusal, or what was written.
func (a answered) write(w io.Writer) {
	if a.Refusal != nil {
		fmt.Fprintf(w, "不予答复 refused: %s\n", a.Refusal.Code)
		writeRefusal(w, a.Refusal)
		return
	}
	fmt.Fprintf(w, "第 %d 次答复 answer %d", a.Use, a.Use)
	if a.Again {
		fmt.Fprint(w, "，重新导出，不另计次 again, not counted")
	}
	fmt.Fprintln(w)
	for _, f := range a.Files {
		fmt.Fprintf(w, "已写入 written: %s\n  里面文件的 SHA-256 of the file within: %x\n", f.File, f.SHA256)
	}
	fmt.Fprintln(w, "只有接收人的私钥能打开 opened by the recipient's key alone: gatehouse evidence open --key KEY --out NEW.zip FILE")
}

// writeRefusal prints the form of a refusal.
func writeRefusal(w io.Writer, r *control.MandateRefusal) {
	for _, row := range []struct {
		zh, en string
		text   control.InLanguage
	}{{"理由", "reason", r.Reason}, {"依据", "by", r.Article}, {"怎么办", "what to do", r.Do}} {
		fmt.Fprintf(w, "%s %s:\n  %s\n  %s\n", row.zh, row.en, row.text.ZH, row.text.EN)
	}
}
