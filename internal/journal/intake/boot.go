package intake

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gatehouse/internal/durable"
)

const bootName = "boot" // number of the last run, decimal

// NextBoot returns the number of this run of the journal in dir: one more than the last, and notes it there. With an
// error it is random and above 2^32, so that it can't meet an earlier one, and maybe not written down.
func NextBoot(dir string) (uint64, error) {
	var b [8]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	random := 1<<32 + binary.BigEndian.Uint64(b[:])>>16
	path := filepath.Join(dir, bootName)
	if err := durable.MakeDir(dir, 0o700); err != nil {
		return random, err
	}
	text, err := os.ReadFile(path)
	var last uint64
	switch {
	case err == nil:
		if last, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63); err != nil {
			return random, fmt.Errorf("read %s: not a number", path)
		}
	case errors.Is(err, fs.ErrNotExist):
		if old, _ := filepath.Glob(filepath.Join(dir, "*.db*")); len(old) > 0 {
			return random, fmt.Errorf("%s is missing beside entries", path)
		}
	default:
		return random, err
	}
	if err := durable.WriteFile(path, strconv.AppendUint(nil, last+1, 10), 0o600); err != nil {
		return random, err
	}
	return last + 1, nil
}
