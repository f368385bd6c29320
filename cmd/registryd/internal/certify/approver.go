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
	"gatehouse/sync/wire"
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

// check takes what is wrong with these places.
func (r rooted) check(wrong *command.Faults) {
	wrong.Need("--root", r.Root)
	for _, err := range (authority.NextTrust{Dir: r.Dir, Front: r.Front, Root: r.Root}).Wrong() {
		wrong.Add(err)
	}
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
	all, wrong := c.read()
	if err := wrong.Err(); err != nil {
		return err
	}
	return c.sign(s, all, nil)
}

// Faults are what is wrong with the arguments and the list.
func (c approverAddCmd) Faults() command.Faults {
	_, wrong := c.read()
	return wrong
}

func (c approverAddCmd) read() (all []approver.Approver, wrong command.Faults) {
	c.check(&wrong)
	if c.List != "" {
		wrong.Unless(c.Seat+c.District+c.Town+c.Key == "", "写进名单 write it into the list, too", "--list 不能和 --seat 等并用 goes with no other approver")
		all = listed(c.List, &wrong)
		return all, wrong
	}
	wrong.Need("--seat", c.Seat)
	wrong.Need("--district", c.District)
	if wrong.Need("--key", c.Key) || c.Seat+c.District+c.Town != "" {
		all = append(all, certified("--", c.Seat, c.District, c.Town, c.Key, &wrong))
	}
	return all, wrong
}

// certified is an approver; at says where its words stand.
func certified(at, seat, district, town, file string, wrong *command.Faults) (a approver.Approver) {
	checkID(at+"seat", seat, wrong)
	checkID(at+"district", district, wrong)
	checkID(at+"town", town, wrong)
	if file != "" {
		public, err := keys.LoadPublic(file)
		wrong.Unless(err == nil, "gatehouse mandate key 制作的 FILE.pub the .pub beside the key of gatehouse mandate key", "%skey 读不出公钥 no public key: %v", at, err)
		copy(a.Public[:], public)
	}
	a.Seat, a.District, a.Town = seat, district, town
	return a
}

// checkID takes the fault of an id that no message may have; an empty one is missing, or not said.
func checkID(flag, id string, wrong *command.Faults) {
	wrong.Unless(wire.ValidName(id, true), "编号见 registryd gateway list；ids stand in registryd gateway list", "%s %q: 编号只用小写字母、数字和连字符，最多 32 个 an id has a-z, 0-9 and -, 32 at most", flag, id)
}

// listed reads a list: empty lines and those that begin with # say nothing.
func listed(path string, wrong *command.Faults) (all []approver.Approver) {
	text, err := os.ReadFile(path)
	if err != nil {
		wrong.Add(socket.Hinted("每行一名审批人 a line each: SEAT DISTRICT TOWN FILE.pub", "--list 读不了 can't be read: %v", err))
		return nil
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) != 4 {
			wrong.Add(socket.Hinted("SEAT DISTRICT TOWN FILE.pub，全区写 - with - for every town", "%s 第 %d 行 line %d: %d 个词 words, not 4", path, n, n, len(words)))
			continue
		}
		file := words[3]
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		all = append(all, certified(fmt.Sprintf("%s:%d: ", path, n), words[0], words[1], strings.TrimPrefix(words[2], "-"), file, wrong))
	}
	if err := lines.Err(); err != nil {
		wrong.Add(fmt.Errorf("%s: %w", path, err))
	} else if len(all) == 0 {
		wrong.Add(socket.Hinted("每行一名审批人 a line each: SEAT DISTRICT TOWN FILE.pub", "%s 没有审批人 names no approver", path))
	}
	return all
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
