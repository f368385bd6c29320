package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/disk"
	"gatehouse/internal/durable"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

type backupCmd struct {
	Dir       string `arg:"" help:"Directory on another disk: a new one in it, named by the time, gets the copies." placeholder:"DIRECTORY"`
	Elsewhere bool   `help:"It may lie on the disk of the databases: you see to it that each copy is brought to another one at once."`
}

// fileBackup describes a backup.
const fileBackup = "backup.json"

// backup is the content of fileBackup.
type backup struct {
	Registry string            `json:"registry"`
	Time     time.Time         `json:"time"`
	Trust    uint64            `json:"trust"`     // version
	Taken    uint64            `json:"taken"`     // the last tenancy record that the issuer's copy has
	LastWork uint64            `json:"last_work"` // that the front had before its copy was made
	SHA256   map[string]string `json:"sha256"`    // of the copies, in hex
	Dir      string            `json:"-"`
}

// Run copies both databases while they are in use: the issuer's first, so that the front's is the
// newer one, and then the front's ledger of erasures, so that it has all that the copy knows of. Only when
// all are on the disk and whole, gateways are told that their content is safe.
func (c backupCmd) Run(s *session) error {
	if err := c.check(s.states); err != nil {
		return err
	}
	front, own, err := s.statuses()
	if err != nil {
		return err
	}
	b := backup{Registry: front.Registry, Time: time.Now().UTC().Truncate(time.Second), Trust: front.Trust, Taken: own.After, LastWork: front.LastWork,
		SHA256: make(map[string]string)}
	b.Dir = filepath.Join(c.Dir, b.Time.Format("20060102T150405Z"))
	id := rand.Text()
	if err := b.fill(s, id); err != nil {
		return err
	}
	if _, err := s.front.Kept(s.ctx, id); err != nil {
		return socket.Hinted("the copies are good; make another backup, so that gateways hear of it", "tell the front of the backup: %v", err)
	}
	return s.Print(map[string]any{"folder": b.Dir, "time": b.Time}, nil, func(w io.Writer) {
		fmt.Fprintf(w, "both databases and the ledgers of erasures and answers are in %s; gateways hear that it is safe what they have\n", b.Dir)
	})
}

// check refuses a directory that would be lost with the databases: what is only there is not safe.
func (c backupCmd) check(states []string) error {
	info, err := os.Stat(c.Dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", c.Dir)
	}
	if err != nil {
		return socket.Hinted("mount the other disk there first, or name a directory that is there and that you may write", "%v", err)
	}
	shared, err := disk.Shared(c.Dir, states...)
	if err == nil && shared != "" && !c.Elsewhere {
		err = socket.Hinted("mount another disk there; with --elsewhere, where you bring each copy to another machine at once, gateways hear that it is safe all the same",
			"%s lies on the same disk as %s: both would be lost together", c.Dir, shared)
	}
	return err
}

// statuses returns the status of front and issuer, which must both answer.
func (s *session) statuses() (front api.Status, own operator.Status, err error) {
	if front, err = s.front.Status(s.ctx); err == nil {
		own, err = s.issuer.Status(s.ctx)
	}
	return front, own, err
}

// fill makes the directory with the copies.
func (b *backup) fill(s *session, id string) error {
	if _, err := os.Lstat(b.Dir); err == nil {
		return socket.Hinted("try again in a second", "%s is there already", b.Dir)
	}
	temp := b.Dir + ".new"
	if err := durable.MakeDir(temp, 0o700); err != nil {
		return socket.Hinted("name a directory that you may write", "%v", err)
	}
	for _, part := range []struct {
		name string
		open func() (io.ReadCloser, error)
	}{{issuer.FileDatabase, func() (io.ReadCloser, error) { return s.issuer.Backup(s.ctx) }},
		{api.FileDatabase, func() (io.ReadCloser, error) { return s.front.Backup(s.ctx, id) }}} {
		body, err := part.open()
		if err != nil {
			return err
		}
		path := filepath.Join(temp, part.name)
		if b.SHA256[part.name], err = save(body, path); err == nil {
			err = dbfile.Check(s.ctx, path)
		}
		if err != nil {
			return err
		}
	}
	if err := b.ledgers(s, temp); err != nil {
		return err
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(temp, fileBackup), append(text, '\n'), 0o600); err != nil {
		return err
	}
	return durable.Rename(temp, b.Dir)
}

// ledgers copies the front's ledgers of erasures, which the front has just read whole, and of answers.
func (b *backup) ledgers(s *session, dir string) error {
	data, err := s.front.Ledger(s.ctx)
	if err != nil {
		return err
	}
	b.SHA256[api.FileErasures] = fmt.Sprintf("%x", sha256.Sum256(data))
	if err := durable.WriteFile(filepath.Join(dir, api.FileErasures), data, 0o600); err != nil {
		return err
	}
	body, err := s.front.Mandated().Ledger(s.ctx)
	if err == nil {
		b.SHA256[api.FileAnswers], err = save(body, filepath.Join(dir, api.FileAnswers))
	}
	return err
}

// save writes a copy that comes from a process, and syncs it.
func save(body io.ReadCloser, path string) (sum string, err error) {
	defer body.Close()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(file, hash), body)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

type restoredCmd struct {
	Done bool `help:"Put away what is shown: it was looked at."`
}

func (c restoredCmd) Run(s *session) error {
	front, own, err := s.statuses()
	if err != nil {
		return err
	}
	all := append(front.Remarks, own.Remarks...)
	if c.Done {
		if err := errors.Join(s.front.PutAway(s.ctx), s.issuer.PutAway(s.ctx)); err != nil {
			return err
		}
	}
	return s.Print(all, nil, func(w io.Writer) {
		for _, r := range all {
			fmt.Fprintf(w, "%s  %s%s\n", clock(&r.Time), command.Choose(r.Building == "", "", r.Building+": "), r.Text)
		}
		switch {
		case len(all) == 0:
			fmt.Fprintln(w, "nothing")
		case c.Done:
			fmt.Fprintln(w, "put away")
		default:
			fmt.Fprintln(w, "registryd restored --done puts it away")
		}
	})
}
