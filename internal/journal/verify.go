package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Report is what Verify found in a file.
type Report struct {
	Epoch  uint64
	First  uint64    // sequence of the first entry
	Next   uint64    // first sequence after the last
	Root   tlog.Hash // of the tree of Next entries
	Erased int       // entries without their who part
	Tiled  int       // entries whose leaf was also compared with tree.db beside the file
}

// Verify checks a whole entry file: its pages, that no sequence number is
// missing, that the entries hash to the root that was written with the last of
// them, and that their leaves are those of tree.db where that is there. A fault in the pages
// can end the process, and leaves a goroutine behind: see VerifyBy. Bad content is an error that wraps
// durable.ErrDamaged; where only one of bbolt's two meta pages is good it wraps
// ErrOneMeta, and the report is of what that one shows.
func Verify(path string) (Report, error) {
	var r Report
	err := view(path, func(tx *bolt.Tx) (err error) {
		// The first fault will do: pages that point at each other make more
		// than can be listed. The check's goroutine then waits for ever.
		if fault, bad := <-tx.Check(); bad {
			return fmt.Errorf("%w: %w", durable.ErrDamaged, fault)
		}
		r, err = verifyEntries(tx, path)
		return err
	})
	if err == nil {
		err = needBothMetas(path)
	}
	if err != nil {
		return r, fmt.Errorf("verify %s: %w", path, err)
	}
	return r, nil
}

func needBothMetas(path string) error {
	both, err := bothMetas(path)
	if err == nil && !both {
		err = ErrOneMeta
	}
	return err
}

// ErrOneMeta means a file of which one meta page is not valid: what can be read is
// good, and the last commit may be missing.
var ErrOneMeta = errors.New("one of its two meta pages is damaged, so the last entries may be missing")

func verifyEntries(tx *bolt.Tx, path string) (Report, error) {
	s, err := readSegment(tx)
	if err != nil {
		return Report{}, err
	}
	r := Report{Epoch: s.epoch, First: s.start.Size(), Next: s.size, Root: s.root}
	if err := s.checkName(path); err != nil {
		return r, err
	}
	if k, _ := tx.Bucket(bucketEntries).Cursor().Last(); s.size > r.First && string(k) != string(key(s.size-1)) {
		return r, fmt.Errorf("%w: entries behind the last", durable.ErrDamaged)
	}
	var leaves []tlog.Hash
	err = eachEntry(tx, r.First, r.Next, int(r.Next-r.First), func(seq uint64, stored []byte) error {
		e, err := wire.SplitStored(stored) // the root proves the rest
		if err != nil {
			return fmt.Errorf("%w: entry %d: %w", durable.ErrDamaged, seq, err)
		}
		if e.Erased {
			r.Erased++
		}
		leaves = append(leaves, tree.LeafHash(e.Header, e.WhoHash[:]))
		return nil
	})
	if err != nil {
		return r, err
	}
	if s.start.AddAll(leaves).Root() != s.root {
		return r, fmt.Errorf("%w: entries do not hash to the root", durable.ErrDamaged)
	}
	r.Tiled, err = compareTiles(filepath.Join(filepath.Dir(path), treeName), s.epoch, r.First, leaves)
	return r, err
}

// Exit codes of a process that verifies a file. A fatal fault also says that
// the file is damaged; being killed from outside says nothing of it.
const (
	verifyStack = 4 << 20          // bytes: pages that point at each other end the process soon
	verifyTime  = 60 * time.Second // a check that takes longer goes in circles

	exitGood       = 0
	exitDamaged    = 1
	exitOneMeta    = 3
	exitNotChecked = 75 // EX_TEMPFAIL of sysexits.h
)

// VerifyMain is the body of the process that VerifyBy starts: it verifies the
// file, says what it found on w, and returns the exit code.
func VerifyMain(path string, w io.Writer) int {
	debug.SetMaxStack(verifyStack)
	r, err := Verify(path)
	switch {
	case err == nil:
		fmt.Fprintf(w, "epoch %016x, entries %d to %d, root %s\n", r.Epoch, r.First, r.Next, r.Root)
		return exitGood
	case errors.Is(err, ErrOneMeta):
		fmt.Fprintln(w, err)
		return exitOneMeta
	case errors.Is(err, durable.ErrDamaged):
		fmt.Fprintln(w, err)
		return exitDamaged
	}
	fmt.Fprintln(w, err)
	return exitNotChecked
}

// VerifyBy returns an Options.Verify that runs a command with the path as its
// last argument; that command must end with what VerifyMain returns.
func VerifyBy(command string, args ...string) func(context.Context, string) error {
	return func(ctx context.Context, path string) error {
		ctx, cancel := context.WithTimeoutCause(ctx, verifyTime, errEndless)
		defer cancel()
		full := append(append([]string{}, args...), path)
		out, err := exec.CommandContext(ctx, command, full...).CombinedOutput()
		var exit *exec.ExitError
		switch {
		case err == nil:
			return nil
		case context.Cause(ctx) == errEndless:
			return fmt.Errorf("verify %s in its own process: %w: %w", path, durable.ErrDamaged, errEndless)
		case ctx.Err() != nil:
			return fmt.Errorf("verify %s: %w", path, ctx.Err())
		case errors.As(err, &exit) && exit.ExitCode() == exitOneMeta:
			return fmt.Errorf("verify %s in its own process: %w", path, ErrOneMeta)
		case errors.As(err, &exit) && exit.ExitCode() != exitNotChecked && !killed(exit):
			return fmt.Errorf("verify %s in its own process: %w: %v: %s", path, durable.ErrDamaged, err, firstLine(out))
		}
		return fmt.Errorf("verify %s in its own process: %w: %s", path, err, firstLine(out))
	}
}

var errEndless = fmt.Errorf("no end within %v", verifyTime)

// killed says whether somebody else ended the process: a service manager that
// stops the gateway, or the kernel for want of memory. No good file may be set
// aside for that.
func killed(exit *exec.ExitError) bool {
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return false
	}
	switch status.Signal() {
	case syscall.SIGBUS, syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGILL, syscall.SIGFPE, syscall.SIGTRAP:
		return false
	}
	return true
}

func firstLine(b []byte) string {
	for i, c := range b {
		if c == '\n' || i == 300 {
			return string(b[:i])
		}
	}
	return string(b)
}
