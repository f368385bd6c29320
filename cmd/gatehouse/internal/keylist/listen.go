package keylist

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/socket"
	"gatehouse/internal/takeover"
)

// adoptListenCmd makes the old controller decide.
type adoptListenCmd struct {
	Days int  `help:"For how many days cards are learned, 1 to 60." default:"7"`
	Yes  bool `help:"The old controller is connected and works; do not ask."`
}

func (adoptListenCmd) Help() string {
	return `The old controller goes on deciding; this gateway only hears its readers, over
wires in parallel, and drives nothing: no lock, no exit button, no fire input, no
lamp. Cards are learned as codes, told by the number of days on which they were
seen, up to three, and never when or where. OSDP readers can't be heard so.
It is for a house before its first key, and once more within a week of adopt drive.`
}

func (c adoptListenCmd) Run(s *session.Session) error {
	if c.Days < 1 {
		return socket.Hinted("gatehouse adopt drive ends it", "--days must be at least 1")
	}
	question := "the old controller has locks, exit buttons and fire, and works; this gateway is to drive nothing?"
	if err := sure(s, c.Yes, question, "with --yes, if the old controller has locks, exit buttons and fire, and works"); err != nil {
		return err
	}
	st, err := control.Takeover{Daemon: s.Client}.SetListening(s.Ctx, control.ListeningRequest{Days: c.Days})
	if err == nil && st.Listening == nil {
		err = errors.New("the gateway did not begin to listen: gatehouse status says why")
	}
	return s.Print(st.Listening, err, func(w io.Writer) { writeListening(w, st) })
}

func writeListening(w io.Writer, st control.Status) {
	until := "nobody knows when"
	if st.Listening.Until != nil {
		until = session.Local(*st.Listening.Until)
	}
	fmt.Fprintf(w, "listening until %s: the old controller decides, and this gateway drives nothing\n", until)
	for _, item := range st.ToDo {
		if item.Code == "reader_untapped" {
			fmt.Fprintf(w, "  - %s\n", item.Text)
		}
	}
	fmt.Fprintln(w, "gatehouse adopt list has the cards from tomorrow on; gatehouse adopt drive ends it")
}

// adoptDriveCmd makes this gateway decide.
type adoptDriveCmd struct {
	Key  string   `help:"The issuer's key file of gatehouse init: learned cards get keys." placeholder:"FILE"`
	Door []string `help:"A door that the learned cards open; may be given again." placeholder:"ID"`
	Seen int      `help:"Only cards that were seen on so many days, 1 to 3." default:"2"`
	Yes  bool     `help:"The locks are connected to this gateway; do not ask, and leave out the cards that get no key."`
}

// driven is the result of the switch over.
type driven struct {
	takeover.Learned
	Learnt  int    `json:"learned"` // cards
	Version uint64 `json:"version,omitempty"`
}

func (c adoptDriveCmd) Run(s *session.Session) error {
	a, err := control.Takeover{Daemon: s.Client}.Adopts(s.Ctx)
	switch {
	case err != nil:
		return err
	case !a.Listening:
		return socket.Hinted("gatehouse status shows the doors", "this gateway decides at its doors already")
	case c.Seen < 1 || c.Seen > 3:
		return socket.Hinted("--seen 1 takes every card", "--seen %d: want 1 to 3", c.Seen)
	case c.Key == "" && len(a.Cards) > 0 && !c.Yes:
		return socket.Hinted("--key FILE and --door ID give them keys; --yes forgets them", "%s learned, and none would have a key", amount.Of(len(a.Cards), "card"))
	}
	question := fmt.Sprintf("the locks are connected to this gateway's relays, and the exit buttons and fire to its inputs; it is to decide from now on, and forget the %s that it learned?", amount.Of(len(a.Cards), "card"))
	if err := sure(s, c.Yes, question, "with --yes, if the locks are connected to this gateway's relays"); err != nil {
		return err
	}
	out := driven{Learnt: len(a.Cards)}
	if c.Key != "" {
		if err := c.keys(s, a.Cards, &out); err != nil {
			return err
		}
	}
	_, err = control.Takeover{Daemon: s.Client}.SetListening(s.Ctx, control.ListeningRequest{})
	return s.Print(out, err, func(w io.Writer) {
		fmt.Fprintf(w, "this gateway decides at its doors now. Of %s learned: %s\n", amount.Of(out.Learnt, "card"), out.Words())
		fmt.Fprintln(w, "gatehouse adopt on keeps cards that ask at a door; gatehouse adopt listen goes back, once and within a week")
	})
}

// keys gives the cards keys before anything else, so that nobody is left outside.
func (c adoptDriveCmd) keys(s *session.Session, cards []control.Adopt, out *driven) error {
	k := session.IssuerKey{Key: c.Key}
	issuer, l, err := k.Open(s)
	if err != nil {
		return err
	}
	g, err := terms{Label: "old card", Door: c.Door, Kind: "resident"}.grant(l)
	if err != nil {
		return err
	}
	if len(g.Doors) == 0 {
		return socket.Hinted("doors of this gateway: "+strings.Join(l.Doors, ", "), "give --door for each door that the learned cards open")
	}
	work := func(e *grantlist.Editor) (err error) {
		out.Learned, err = takeover.Learn(e, l.Labels, cards, g, c.Seen)
		return err
	}
	e, err := issuer.Editor(l) // a list that nobody signs
	if err == nil {
		err = work(e)
	}
	if err != nil || out.Keys == 0 {
		return err
	}
	done, err := k.Edit(s, issuer, work)
	out.Version = done.Version
	return err
}

// sure asks on a terminal; without one yes answers.
func sure(s *session.Session, yes bool, question, hint string) error {
	if yes {
		return nil
	}
	if session.Terminal(s.In) == nil {
		return socket.Hinted(hint, "nothing was changed")
	}
	fmt.Fprintf(s.Err, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(s.In).ReadString('\n')
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("nothing was changed")
	}
	return nil
}
