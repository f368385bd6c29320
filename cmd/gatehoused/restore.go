package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/socket"
)

// mostCode bounds the bytes read for a recovery code.
const mostCode = 256

// restoreBackup makes this machine the gateway of a backup.
func restoreBackup(args []string, config string, asJSON bool, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 1 {
		return misuse("restore: want one backup")
	}
	line, err := bufio.NewReader(io.LimitReader(stdin, mostCode)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the recovery code: %w", err)
	}
	code, err := recovery.Parse(strings.TrimSpace(line))
	if err != nil {
		return err
	}
	opened, err := openBackup(args[0], code)
	if err != nil {
		return err
	}
	r, err := restore.Restore(opened, restore.Target{Config: config})
	if err != nil {
		return withHint(err)
	}
	if asJSON {
		return json.NewEncoder(stdout).Encode(r)
	}
	fmt.Fprintf(stdout, "gateway %s/%s is restored as it was on %s: the cards of %s\n", r.Building, r.Gateway, r.Made.Local().Format("2006-01-02 15:04"), amount.Of(r.Tenancies, "tenancy"))
	return nil
}

func openBackup(path string, code recovery.Code) (b restore.Backup, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return b, fmt.Errorf("read the backup: %w", err)
	}
	if info.Size() > backup.MostSize {
		return b, fmt.Errorf("%s: %w", path, backup.ErrForeign)
	}
	data, err := os.ReadFile(path)
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
