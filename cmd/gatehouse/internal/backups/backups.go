// Package backups has the commands about the backup of a gateway: its recovery code, a copy
// elsewhere, and a machine that replaces another.
package backups

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/disk"
	"gatehouse/internal/durable"
	"gatehouse/internal/input"
	"gatehouse/internal/socket"
)

// Recovery is the group of commands about the recovery code.
type Recovery struct {
	Show     showCmd     `cmd:"" help:"Show how the backups are; never the code."`
	New      newCmd      `cmd:"" help:"Make a recovery code, shown this once, and the first backup."`
	Rehearse rehearseCmd `cmd:"" help:"Restore the backup by its code into a directory that is deleted again."`
}

type showCmd struct{}

// Run shows the state of the backups.
func (showCmd) Run(s *session.Session) error {
	r, err := control.BackupsOf(s.Client).Status(s.Ctx)
	return s.Print(r, err, func(w io.Writer) {
		if r.Code == nil {
			fmt.Fprintln(w, "no recovery code, so no backups: gatehouse recovery new")
			return
		}
		fmt.Fprintf(w, "code     of %s, %s\n", session.Local(*r.Code), tried(r.Proved))
		fmt.Fprintf(w, "backup   %s\n", made(r.Made, r.Problem))
		if r.Away != nil {
			fmt.Fprintf(w, "copy     in %s: %s\n", r.Away.Directory, made(r.Away.Made, r.Away.Problem))
		}
		if r.Registry != nil {
			fmt.Fprintf(w, "registry %s\n", offsite(*r.Registry))
		}
	})
}

func tried(proved *time.Time) string {
	if proved == nil {
		return "never tried: gatehouse recovery rehearse"
	}
	return "has opened a backup on " + session.Local(*proved)
}

func made(at *time.Time, problem string) string {
	problem = strings.ReplaceAll(problem, "\n", "; ")
	switch {
	case at == nil && problem == "":
		return "none yet"
	case at == nil:
		return "none: it could not be made: " + problem
	case problem == "":
		return "of " + session.Local(*at)
	}
	return "of " + session.Local(*at) + "; the next could not be made: " + problem
}

// offsite says what the registry has.
func offsite(o control.Offsite) string {
	text := "has none yet: it is sent within minutes, once all entries are there"
	if o.Made != nil && o.Kept != nil {
		text = "has that of " + session.Local(*o.Made) + ", it said so on " + session.Local(*o.Kept)
	}
	if o.Problem != "" {
		text += "; the last try went wrong: " + o.Problem
	}
	return text
}

type newCmd struct {
	Replace bool `help:"There is one already: it opens no backup from now on."`
}

// Run makes a code and prints it.
func (c newCmd) Run(s *session.Session) error {
	r, err := control.BackupsOf(s.Client).NewCode(s.Ctx, control.NewRecovery{Replace: c.Replace})
	return s.Print(r, err, func(w io.Writer) {
		fmt.Fprintf(w, "\n    %s\n\n", r.Code)
		fmt.Fprintln(w, "Write it down twice, away from the gateway: it is shown this once, and nobody has it besides. With it and a backup another machine takes the gateway's place.")
		fmt.Fprintln(w, "Then: gatehouse recovery rehearse")
	})
}

type rehearseCmd struct {
	Code string `help:"A file with the code; without it, the code is asked for." placeholder:"FILE"`
}

// Run restores the backup into a directory that is deleted again.
func (c rehearseCmd) Run(s *session.Session) error {
	code, err := askCode(s, s.Asker(), c.Code)
	if err != nil {
		return err
	}
	r, err := control.BackupsOf(s.Client).Rehearse(s.Ctx, control.RecoveryCode{Code: code.String()})
	return s.Print(r, err, func(w io.Writer) {
		fmt.Fprintf(w, "the code opens the backup: %s/%s would be back with %s\n", r.Building, r.Gateway, brings(r.Tenancies, r.List, r.Doors))
	})
}

// brings describes what a backup brings back.
func brings(tenancies int, list uint64, doors []string) string {
	return fmt.Sprintf("the cards of %s (list %d) at %s", amount.Of(tenancies, "tenancy"), list, strings.Join(doors, ", "))
}

// mostTyped is the most bytes of a code or a token in its file, over ten times a token.
const mostTyped = 4096

// askCode reads a code from a file, or asks until one is valid: never by command line, where every
// user of the machine could read it.
func askCode(s *session.Session, a *session.Asker, file string) (code recovery.Code, err error) {
	if file != "" {
		text, err := input.ReadFile(s.Ctx, file, mostTyped)
		if err != nil {
			return code, fmt.Errorf("read the recovery code: %w", err)
		}
		if code, err = recovery.Parse(string(text)); err != nil {
			return code, socket.Hinted("the file has the code alone", "%s: %v", file, err)
		}
		return code, nil
	}
	_, err = a.Ask("recovery code", func(answer string) (string, error) {
		var err error
		if code, err = recovery.Parse(answer); err != nil {
			return "", socket.Hinted("type it as it stands on the sheet", "%v", err)
		}
		return answer, nil
	})
	return code, err
}

// Backup is the command that stores a copy of the backup elsewhere.
type Backup struct {
	To string `arg:"" help:"A directory that is there, as that of a stick, or a file that ends in .backup."`
}

// Run makes a backup and writes it.
func (c Backup) Run(s *session.Session) error {
	into, err := c.directory()
	if err != nil {
		return err
	}
	b, err := control.BackupsOf(s.Client).Take(s.Ctx)
	if err != nil {
		return err
	}
	path := c.To
	if into {
		path = filepath.Join(path, b.Name)
	}
	if err := durable.WriteFile(path, b.Data, 0o600); err != nil {
		return socket.Hinted(command.Choose(errors.Is(err, syscall.ENOSPC), "make room on it, or take another stick", "name a directory that you may write, or plug in a stick that takes what is written"), "%v", err)
	}
	again, err := os.ReadFile(path)
	if err == nil && string(again) != string(b.Data) {
		err = errors.New("it reads otherwise than it was written: take another stick")
	}
	shared, failed := disk.Shared(path, b.State)
	err = errors.Join(err, failed)
	return s.Print(map[string]any{"file": path, "size": len(b.Data), "same_disk": shared != ""}, err, func(w io.Writer) {
		fmt.Fprintf(w, "%s is written, and only the recovery code opens it\n", path)
		if shared != "" {
			fmt.Fprintln(w, "WARNING: it lies on the gateway's own disk or card, and is lost with it: take it away from here, or plug a stick in and name the directory where that is mounted")
		}
	})
}

// directory reports whether To is a directory that is there; else it must be named as a backup,
// since a directory that is not there is a stick that is not in.
func (c Backup) directory() (bool, error) {
	if info, err := os.Stat(c.To); err == nil && info.IsDir() {
		return true, nil
	}
	if filepath.Ext(c.To) != ".backup" {
		return false, socket.Hinted("plug the stick in and name the directory where it is mounted, or name a file that ends in .backup", "there is no directory %s", c.To)
	}
	return false, nil
}
