package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/replace"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/input"
	"gatehouse/internal/socket"
)

// mostInput bounds the bytes read for a recovery code and a token.
const mostInput = 4096

// restoring is how gatehoused restore was called.
type restoring struct {
	files    []string // the backup
	registry bool     // it comes from the registry instead, by a token
	config   string
	asJSON   bool
	stdin    io.Reader // the code on the first line, then the token
	stdout   io.Writer
}

// run makes this machine the gateway of a backup.
func (r restoring) run(ctx context.Context) error {
	if len(r.files) != 1 && !r.registry || len(r.files) != 0 && r.registry {
		return misuse("restore: want one backup, or --registry")
	}
	in := bufio.NewReader(io.LimitReader(input.Reader{Ctx: ctx, From: r.stdin}, mostInput))
	line, err := in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the recovery code: %w", err)
	}
	code, err := recovery.Parse(strings.TrimSpace(line))
	if err != nil {
		return err
	}
	done, err := r.restore(ctx, code, in)
	if err != nil {
		return err
	}
	if r.asJSON {
		return json.NewEncoder(r.stdout).Encode(done)
	}
	fmt.Fprintf(r.stdout, "gateway %s/%s is restored as it was on %s: the cards of %s\n", done.Building, done.Gateway, done.Made.Format("2006-01-02 15:04 -07:00"), amount.Of(done.Tenancies, "tenancy"))
	for _, more := range []string{done.Older, done.Later} {
		if more != "" {
			fmt.Fprintf(r.stdout, "  %s\n", more)
		}
	}
	return nil
}

// restore puts the backup down, from its file or from the registry.
func (r restoring) restore(ctx context.Context, code recovery.Code, in io.Reader) (done replace.Result, err error) {
	target := restore.Target{Config: r.config}
	if r.registry {
		token, err := io.ReadAll(in)
		if err != nil {
			return done, fmt.Errorf("read the token: %w", err)
		}
		done, err = replace.FromRegistry(ctx, replace.Options{Token: string(token), Code: code, Target: target, Software: "gatehouse " + version})
		return done, withHint(err)
	}
	opened, err := openBackup(ctx, r.files[0], code)
	if err != nil {
		return done, err
	}
	done.Result, err = restore.Restore(opened, target)
	return done, withHint(err)
}

func openBackup(ctx context.Context, path string, code recovery.Code) (b restore.Backup, err error) {
	data, err := input.ReadFile(ctx, path, backup.MostSize)
	if err != nil {
		return b, fmt.Errorf("read the backup: %w", err)
	}
	if b, err = restore.Open(data, code); err != nil {
		return b, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// withHint appends the hint on a line of its own.
func withHint(err error) error {
	var said *socket.Error
	if errors.As(err, &said) && said.Hint != "" {
		return fmt.Errorf("%w\n  %s", err, said.Hint)
	}
	return err
}
