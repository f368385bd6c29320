package query

import (
	"fmt"
	"io"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// Preserve is the command that shows an order to the gateway.
type Preserve struct {
	Order string `arg:"" help:"The signed order, as gatehouse preserve sign writes it."`
}

// preserved is what the command prints.
type preserved control.Preserved

// Run shows the order, and says how long it holds. Nothing of the log is told.
func (c Preserve) Run(s *session.Session) error {
	envelope, err := s.Paper(c.Order, "写明 gatehouse preserve sign --out 写出的保全令 name the signed order, which gatehouse preserve sign --out wrote")
	if err != nil {
		return err
	}
	got, err := control.PreserveRequest{Order: envelope}.Ask(s.Ctx, s.Client)
	if err != nil {
		return session.InBoth(err)
	}
	if err := s.Print(got, nil, preserved(got).write); err != nil {
		return err
	}
	if got.Refusal != nil {
		return socket.Hinted(got.Refusal.Do.ZH+" "+got.Refusal.Do.EN, "网关不予保全 the gateway does not take the order: %s", got.Refusal.Code)
	}
	return nil
}

func (p preserved) write(w io.Writer) {
	if p.Refusal != nil {
		fmt.Fprintf(w, "不予保全 refused: %s\n", p.Refusal.Code)
		writeRefusal(w, p.Refusal)
		return
	}
	if p.Again {
		fmt.Fprintln(w, "此保全令已经提交过，期限从第一次提交起算 the order was taken before, and counts from then")
	}
	if p.Until != nil {
		fmt.Fprintf(w, "已保全，至少到 preserved, at least until: %s\n", session.Local(*p.Until))
	} else {
		left := time.Duration(p.Seconds) * time.Second
		fmt.Fprintf(w, "已保全，从现在起至少 %.0f 小时（网关不知道时间）preserved for at least %.0f hours from now (the gateway does not know the time)\n", left.Hours(), left.Hours())
	}
	fmt.Fprintln(w, "仍有需要的，到期前凭调取令调取 what is needed longer takes a mandate before then: gatehouse query --mandate FILE --out FILE")
}
