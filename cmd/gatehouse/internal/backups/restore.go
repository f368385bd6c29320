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
	"gatehouse/internal/backup"
	"gatehouse/internal/control"
	"gatehouse/internal/input"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Restore is the command that makes this machine the gateway of a backup.
type Restore struct {
	From         string `help:"The backup, or the directory (a stick) that has it." placeholder:"PATH"`
	FromRegistry bool   `help:"The registry's snapshot instead, by a token of registryd gateway add --replace; the machine is enrolled by it as well."`
	Token        string `help:"A file with that token; without it, the token is asked for." placeholder:"FILE"`
	Code         string `help:"A file with the recovery code; without it, the code is asked for." placeholder:"FILE"`
	Config       string `help:"The site file. One of this gateway that is there stays: the new machine may be wired otherwise." default:"/etc/gatehouse/site.toml" placeholder:"FILE"`
	Daemon       string `help:"The program that puts the backup down." default:"gatehoused" placeholder:"PATH"`
}

// Help is further text for --help.
func (Restore) Help() string {
	return "Call it by sudo on a machine that is no gateway yet; docs/restore.md has all of it. What is interrupted goes on when it is called again." +
		" The new machine makes a signing key of its own, and its log begins anew; the doors open without a network. A house with a registry needs a token besides, at any time later: gatehouse enrol." +
		" With --from-registry that token comes first, and no stick is needed; asked for are the code, then the token."
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
	Enrolled  bool      `json:"enrolled"`
	Later     string    `json:"later,omitempty"` // why it is not, where a token was given
	Older     string    `json:"older,omitempty"` // why it is not the newest backup of the registry
}

// Run asks for the code and runs the daemon's program, which has the keyring that verifies the
// backup.
func (c Restore) Run(s *session.Session) error {
	if (c.From == "") != c.FromRegistry {
		return socket.Hinted("--from PATH, or --from-registry", "which backup?")
	}
	if c.FromRegistry {
		return c.fromRegistry(s)
	}
	file, err := c.file()
	if err != nil {
		return err
	}
	code, err := askCode(s, s.Asker(), c.Code)
	if err != nil {
		return err
	}
	r, err := c.byProgram(s, code.String()+"\n", file)
	return s.Print(r, err, func(w io.Writer) { c.tell(w, r) })
}

// fromRegistry has a daemon that waits to be set up do it, so that it serves the house when
// all is there; where none does, the daemon's program.
func (c Restore) fromRegistry(s *session.Session) error {
	asker := s.Asker()
	code, err := askCode(s, asker, c.Code)
	if err != nil {
		return err
	}
	token, err := askToken(s, asker, c.Token)
	if err != nil {
		return err
	}
	var r restored
	waits, err := control.SettingUp(s.Client).State(s.Ctx)
	if waiting := err == nil && waits.State == control.SetupNew; waiting {
		var done control.Restored
		done, err = control.BackupsOf(s.Client).Restore(s.Ctx, control.RestoreRequest{Token: token, Code: code.String()})
		r = restored{Building: done.Building, Gateway: done.Gateway, Made: done.Made, Registry: done.Registry, Tenancies: done.Tenancies, Doors: done.Doors,
			Config: waits.File, Enrolled: done.Enrolled, Later: done.Later, Older: done.Older}
		return s.Print(r, err, func(w io.Writer) { c.tell(w, r) })
	}
	r, err = c.byProgram(s, code.String()+"\n"+token+"\n", "--registry")
	r.Enrolled = r.Later == ""
	return s.Print(r, err, func(w io.Writer) { c.tell(w, r) })
}

// byProgram calls the daemon's program.
func (c Restore) byProgram(s *session.Session, input, what string) (r restored, err error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(s.Ctx, session.Program(c.Daemon), "restore", "--json", "--config", c.Config, what)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &said
	if err := cmd.Run(); err != nil {
		why, hint, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(said.String()), "gatehoused: "), "\n  ")
		if why == "" {
			why, hint = fmt.Sprintf("run %s: %v", c.Daemon, err), "name the program by --daemon"
		}
		return r, socket.Hinted(hint, "%s", why)
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, socket.Hinted("want gatehoused of the same version", "read what was restored: %v", err)
	}
	return r, nil
}

// askToken reads a token from a file, or asks for its lines until it is whole.
func askToken(s *session.Session, a *session.Asker, file string) (text string, err error) {
	hint := "the registry's operator makes one: registryd gateway add --replace"
	if file != "" {
		raw, err := input.ReadFile(s.Ctx, file, mostTyped)
		if err == nil {
			_, err = wire.ParseToken(string(raw))
		}
		if err != nil {
			return "", socket.Hinted(hint, "read the token: %v", err)
		}
		return string(raw), nil
	}
	question := "token of the registry (all lines, then an empty one)"
	for {
		line, err := a.Ask(question, session.Anything)
		if err != nil {
			return "", err
		}
		text += line
		_, err = wire.ParseToken(text)
		if err == nil {
			return text, nil
		}
		if line == "" || len(text) > mostTyped {
			return "", socket.Hinted(hint, "%v", err)
		}
		question = "token, next line"
	}
}

// file returns the path of the backup.
func (c Restore) file() (string, error) {
	info, err := os.Stat(c.From)
	if err != nil {
		return "", socket.Hinted("plug the stick in, or name the file; where there is no backup: docs/restore.md, a gateway's card", "%v", err)
	}
	if !info.IsDir() {
		return c.From, readable(c.From)
	}
	found, _ := filepath.Glob(filepath.Join(c.From, "gatehouse-*.backup")) // the pattern is right
	switch len(found) {
	case 0:
		return "", socket.Hinted("name the file itself", "there is no backup (gatehouse-*.backup) in %s", c.From)
	case 1:
		return found[0], readable(found[0])
	}
	return "", socket.Hinted("name one of them by --from: "+strings.Join(found, ", "), "there are %d backups in %s", len(found), c.From)
}

// readable refuses what can be no backup, before anybody is asked for a code.
func readable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return socket.Hinted("name the backup's file, or the directory (a stick) that has it", "%s is neither a file nor a directory", path)
	case info.Size() > backup.MostSize:
		return socket.Hinted("name the backup's file, gatehouse-BUILDING-GATEWAY.backup", "%s: %v", path, backup.ErrForeign)
	}
	return nil
}

func (c Restore) tell(w io.Writer, r restored) {
	fmt.Fprintf(w, "this machine is gateway %s of building %s now, as it was on %s: %s\n", r.Gateway, r.Building, session.Local(r.Made), brings(r.Tenancies, r.List, r.Doors))
	if r.KeptSite {
		fmt.Fprintf(w, "  %s was here and stays: that of the backup says otherwise how the doors are wired\n", r.Config)
	}
	fmt.Fprintln(w, "  it has a signing key of its own, and its log begins anew; the recovery code stays good, and one-time codes and guest codes are void: give new ones")
	if r.Older != "" {
		fmt.Fprintf(w, "  the registry has a newer backup, which this is not: %s\n", r.Older)
	}
	if r.Enrolled {
		fmt.Fprintf(w, "  it is gateway of registry %s again: the newest list comes as soon as it is connected\n", r.Registry)
	} else if r.Later != "" {
		fmt.Fprintf(w, "  it is not enrolled yet: %s\n", r.Later)
	}
	fmt.Fprintf(w, "Next:\n  sudo gatehoused check %s\n", r.Config)
	if r.Registry != "none" && !r.Enrolled {
		fmt.Fprintf(w, "  sudo gatehouse enrol --config %s    # with a token of registry %s (registryd gateway add --replace); doors open without it\n", r.Config, r.Registry)
	}
	fmt.Fprintf(w, "  %s\nThen prove each door, the wires are new: gatehouse prove door DOOR\n", session.Start(r.Config, true))
}
