package operate

import (
	"fmt"
	"io"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
)

// Forget is the command that gives a gateway the registry's order to erase.
type Forget struct {
	Order string `arg:"" help:"The order: what registryd forget --order has written."`
}

func (Forget) Help() string {
	return `The registry signs the order, on a resident's request or a court's order. Whom
the entries of that tenancy of before then name is erased from every file of the
log within minutes, while the doors go on; that it was ordered stays in the log.
Nothing shows how many entries it is for. An order is not needed twice.`
}

// Run gives the order.
func (c Forget) Run(s *session.Session) error {
	order, err := s.Paper(c.Order, "写明登记中心给的命令，即 registryd forget 租约 --order 文件 写出的文件 name the order, which registryd forget TENANCY --order FILE wrote")
	if err != nil {
		return err
	}
	err = control.ForgetRequest{Order: order}.Send(s.Ctx, s.Client)
	return s.Print(control.Forgotten{}, err, func(w io.Writer) {
		fmt.Fprintln(w, "已接受，几分钟内从本机日志中抹去，不必重复下达 taken: erased from this gateway's log within minutes, also after a restart; no need to give it again")
	})
}
