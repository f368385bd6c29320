package answer

import (
	"io"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
)

// Query answers a mandate, or all of a case.
type Query struct {
	Mandates []string      `arg:"" name:"mandate" help:"The mandate, as its approver has signed it; with --case all of them, or directories that have nothing else."`
	Key      []string      `required:"" help:"records.key, on its stick; again for the one before it, which opens what is older." placeholder:"FILE"`
	Out      string        `required:"" help:"Directory for the sealed answer." placeholder:"DIR"`
	Gateway  string        `help:"Only of this gateway of those that the mandate names." placeholder:"ID"`
	Again    int           `help:"Give the answer of this number once more: nothing is counted." placeholder:"N"`
	Case     bool          `help:"Answer the mandates of a case and write a summary. Run again it goes on: nothing is counted twice, and what has come since is added."`
	Wait     time.Duration `help:"With --case: stay for so long, as 2h, and complete answers as entries come." placeholder:"DURATION"`
}

// Run answers mandates from what the registry has. The records key and what it opens never leave
// this process but sealed to a mandate's recipient.
func (c Query) Run(s *Session) error {
	if err := c.check(); err != nil {
		return err
	}
	at := &counter{Session: s, out: c.Out, write: durable.WriteFile}
	var err error
	if at.records, err = Keys(s.Ctx, s.Front, c.Key...); err != nil {
		return err
	}
	if c.Case {
		at.write = durable.WriteOneOf // the summary, which names them, makes them durable
		return at.answerCase(c.Mandates, c.Wait)
	}
	q, err := at.read(c.Mandates[0])
	if err == nil {
		err = writable(c.Out)
	}
	if err == nil {
		err = q.readFlats()
	}
	if err != nil {
		return err
	}
	all, err := c.answers(q)
	if err := s.Print(all, err, func(w io.Writer) {
		for _, a := range all {
			a.write(w)
		}
	}); err != nil {
		return err
	}
	return refused(all)
}

// check refuses flags that do not go together.
func (c Query) check() error {
	switch {
	case c.Case && (c.Again > 0 || c.Gateway != ""):
		return socket.Hinted("ask for that mandate alone, without --case", "--again and --gateway are for one mandate")
	case !c.Case && len(c.Mandates) > 1:
		return socket.Hinted("--case answers all mandates of a case", "without --case one mandate is answered")
	case !c.Case && c.Wait > 0:
		return socket.Hinted("--case --wait also takes a single mandate", "--wait is for a case")
	}
	return nil
}

// refused is the first refusal among answers, as an error.
func refused(all []answered) error {
	for _, a := range all {
		if a.Refusal != nil {
			return socket.Hinted(a.Refusal.Do.ZH+" "+a.Refusal.Do.EN, "%s: the mandate is refused: %s", a.Address(), a.Refusal.Name)
		}
	}
	return nil
}

// answers answers one mandate for the gateways that it names.
func (c Query) answers(q *question) (all []answered, err error) {
	for _, g := range q.mandate.Request.Gateways {
		if c.Gateway != "" && c.Gateway != g.ID {
			continue
		}
		d, err := q.ask(api.Asked{Gateway: g.ID, Again: c.Again})
		if err != nil {
			return nil, err
		}
		a, err := q.answer(d)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return nil, socket.Hinted("gatehouse mandate show prints the gateways", "the mandate names no gateway %q", c.Gateway)
	}
	return all, nil
}
