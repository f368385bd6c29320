package certify

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire/approver"
)

// Approver is the command that certifies who signs mandates.
type Approver struct {
	Add    approverAddCmd    `cmd:"" help:"Certify approvers: one, or those of a list. A seat that is there already gets the new key."`
	Revoke approverRevokeCmd `cmd:"" help:"Certify an approver no more: what was signed in that seat is refused from then on."`
	List   approverListCmd   `cmd:"" help:"Show the approvers of the newest trust document."`
}

// rooted are the places that a trust document is signed at.
type rooted struct {
	Root  string `required:"" help:"root.key, on its stick." placeholder:"FILE"`
	Dir   string `help:"The issuer's directory." default:"/var/lib/gatehouse-registry/issuer" placeholder:"DIRECTORY"`
	Front string `name:"front-dir" help:"The front's directory, where it is on this machine." placeholder:"DIRECTORY"`
}

// sign signs the document that differs by approvers alone.
func (r rooted) sign(s *Session, certify []approver.Approver, revoke []string) error {
	return signTrust(s, authority.NextTrust{Dir: r.Dir, Front: r.Front, Root: r.Root, Certify: certify, Revoke: revoke, Now: time.Now()})
}

type approverAddCmd struct {
	rooted
	Seat     string `help:"Name of the seat, [a-z0-9-]; never a person's." placeholder:"SEAT"`
	District string `help:"District that it signs for." placeholder:"ID"`
	Town     string `help:"Town that it signs for; without it every town of the district." placeholder:"ID"`
	Key      string `help:"The approver's public key, FILE.pub of gatehouse mandate key." placeholder:"FILE"`
	List     string `help:"Many at once: a file with a line each: SEAT DISTRICT TOWN FILE.pub, with - for every town; paths go from the list's directory." placeholder:"FILE"`
}

func (c approverAddCmd) Run(s *Session) error {
	if c.List != "" {
		if c.Seat+c.District+c.Town+c.Key != "" {
			return socket.Hinted("write it into the list, too", "--list goes with no other approver")
		}
		all, err := listed(c.List)
		if err != nil {
			return err
		}
		return c.sign(s, all, nil)
	}
	if c.Seat == "" || c.District == "" || c.Key == "" {
		return socket.Hinted("--seat, --district, --key, and --town unless it is for the whole district; or --list FILE", "an approver has a seat, a district and a key")
	}
	one, err := certified(c.Seat, c.District, c.Town, c.Key)
	if err != nil {
		return err
	}
	return c.sign(s, []approver.Approver{one}, nil)
}

func certified(seat, district, town, file string) (approver.Approver, error) {
	public, err := keys.LoadPublic(file)
	if err != nil {
		return approver.Approver{}, socket.Hinted("the .pub beside the key of gatehouse mandate key", "seat %s: %v", seat, err)
	}
	return approver.Approver{Seat: seat, Public: [32]byte(public), District: district, Town: town}, nil
}

// listed reads a list: empty lines and those that begin with # say nothing.
func listed(path string) (all []approver.Approver, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) != 4 {
			return nil, socket.Hinted("SEAT DISTRICT TOWN FILE.pub, with - for every town", "%s: line %d has %d words", path, n, len(words))
		}
		file := words[3]
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		one, err := certified(words[0], words[1], strings.TrimPrefix(words[2], "-"), file)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(all) == 0 {
		return nil, socket.Hinted("a line each: SEAT DISTRICT TOWN FILE.pub", "%s names no approver", path)
	}
	return all, nil
}

type approverRevokeCmd struct {
	rooted
	Seat []string `arg:"" help:"Seats, as approver list has them."`
}

func (c approverRevokeCmd) Run(s *Session) error { return c.sign(s, nil, c.Seat) }

type approverListCmd struct {
	Dir   string `help:"The issuer's directory." default:"/var/lib/gatehouse-registry/issuer" placeholder:"DIRECTORY"`
	Front string `name:"front-dir" help:"Also the front's directory." placeholder:"DIRECTORY"`
}

func (c approverListCmd) Run(s *Session) error {
	t, err := authority.ShowTrust(c.Dir, c.Front)
	return table(s, t.Approvers, err, "no approver: every mandate is refused", []string{"SEAT", "FOR", "KEY"}, func(a authority.StatedApprover) []string {
		return []string{a.Seat, within(a.District, a.Town), a.ID}
	})
}

// within says for which buildings somebody is an approver or an officer.
func within(district, town string) string {
	return district + "/" + command.Choose(town == "", "every town", town)
}
