package backups

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/socket"
)

// Restore is the command that makes this machine the gateway of a backup.
type Restore struct {
	From   string `required:"" help:"The backup, or the directory (a stick) that has it." placeholder:"PATH"`
	Code   string `help:"A file with the recovery code; without it, the code is asked for." placeholder:"FILE"`
	Config string `help:"The site file. One of this gateway that is there stays: the new machine may be wired otherwise." default:"/etc/gatehouse/site.toml" placeholder:"FILE"`
	Daemon string `help:"The program that puts the backup down." default:"gatehoused" placeholder:"PATH"`
}

// Help is further text for --help.
func (Restore) Help() string {
	return "Call it by sudo on a machine that is no gateway yet; docs/restore.md has all of it. What is interrupted goes on when it is called again." +
		" The new machine makes a signing key of its own, and its log begins anew; the doors open without a network. A house with a registry needs a token besides, at any time later: gatehouse enrol."
}

// restored is the answer of the daemon's program.
type restored struct {
	Building  string    `json:"building"`
	Gateway   string    `json:"gateway"`
	Made      time.Time `json:"made"`
	Registry  string    `json:"registry"`
	List      uint64    `json:"list"`
	Tenancies int       `json:"tenancies"`
	Doors     []string  `json:"doors"`
	KeptSite  bool      `json:"kept_site"`
	Config    string    `json:"config"`
}

// Run asks for the code and runs the daemon's program, which has the keyring that verifies the
// backup.
func (c Restore) Run(s *session.Session) error {
	file, err := c.file()
	if err != nil {
		return err
	}
	code, err := askCode(s, c.Code)
	if err != nil {
		return err
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(s.Ctx, session.Program(c.Daemon), "restore", "--json", "--config", c.Config, file)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(code.String()+"\n"), &out, &said
	if err := cmd.Run(); err != nil {
		why, hint, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(said.String()), "gatehoused: "), "\n  ")
		if why == "" {
			why, hint = fmt.Sprintf("run %s: %v", c.Daemon, err), "name the program by --daemon"
		}
		return socket.Hinted(hint, "%s", why)
	}
	var r restored
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return socket.Hinted("want gatehoused of the same version", "read what was restored: %v", err)
	}
	return s.Print(r, nil, func(w io.Writer) { c.tell(w, r) })
}

// file returns the path of the backup.
func (c Restore) file() (string, error) {
	info, err := os.Stat(c.From)
	if err != nil {
		return "", socket.Hinted("plug the stick in, or name the file; where there is no backup: docs/restore.md, a gateway's card", "%v", err)
	}
	if !info.IsDir() {
		return c.From, nil
	}
	found, _ := filepath.Glob(filepath.Join(c.From, "gatehouse-*.backup")) // the pattern is right
	switch len(found) {
	case 0:
		return "", socket.Hinted("name the file itself", "there is no backup (gatehouse-*.backup) in %s", c.From)
	case 1:
		return found[0], nil
	}
	return "", socket.Hinted("name one of them by --from: "+strings.Join(found, ", "), "there are %d backups in %s", len(found), c.From)
}

func (c Restore) tell(w io.Writer, r restored) {
	fmt.Fprintf(w, "this machine is gateway %s of building %s now, as it was on %s: %s\n", r.Gateway, r.Building, session.Local(r.Made), brings(r.Tenancies, r.List, r.Doors))
	if r.KeptSite {
		fmt.Fprintf(w, "  %s was here and stays: that of the backup says otherwise how the doors are wired\n", r.Config)
	}
	fmt.Fprintln(w, "  it has a signing key of its own, and its log begins anew; the recovery code stays good")
	fmt.Fprintf(w, "Next:\n  sudo gatehoused check %s\n", r.Config)
	if r.Registry != "none" {
		fmt.Fprintf(w, "  sudo gatehouse enrol --config %s    # with a token of registry %s (registryd gateway add --replace); doors open without it\n", r.Config, r.Registry)
	}
	fmt.Fprintf(w, "  %s\nThen prove each door, the wires are new: gatehouse prove door DOOR\n", session.Start(r.Config, true))
}
