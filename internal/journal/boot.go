package journal

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

// nextBoot returns the number of this run: one more than the last. With an
// error it is random and above 2^32, and maybe not written down.
func nextBoot(dir string) (uint64, error) {
	random := 1<<32 + random64()>>16
	path := filepath.Join(dir, bootName)
	if err := durable.MakeDir(dir, 0o700); err != nil {
		return random, err
	}
	b, err := os.ReadFile(path)
	var last uint64
	switch {
	case err == nil:
		if last, err = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 63); err != nil {
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

// random64 returns a number that is not 0.
func random64() uint64 {
	var b [8]byte
	for {
		rand.Read(b[:]) // never fails: it ends the program instead
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return n
		}
	}
}
