package segment

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/boltfile"
	"gatehouse/sync/wire/journaled"
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

// reportForm is how a process tells another of a report; it leaves out Tiled.
const reportForm = "epoch %016x, entries %d to %d, %d without who part, root %s"

// String returns the report as a line of text.
func (r Report) String() string {
	return fmt.Sprintf(reportForm, r.Epoch, r.First, r.Next, r.Erased, r.Root)
}

// parseReport reads what String makes, and nothing else.
func parseReport(line string) (r Report, err error) {
	var root string
	if _, err = fmt.Sscanf(line, reportForm, &r.Epoch, &r.First, &r.Next, &r.Erased, &root); err == nil {
		r.Root, err = tlog.ParseHash(root)
	}
	if err == nil && r.String() != line {
		err = errors.New("no report of a file")
	}
	return r, err
}

// Verify checks a whole entry file: its pages, that no sequence number is missing,
// that the entries hash to the root that was written with the last of them, and that
// their leaves are those of tree.db where that is there. A fault in the pages can end
// the process, and leaves a goroutine behind: see VerifyBy. Bad content wraps
// durable.ErrDamaged; where only one of bbolt's two meta pages is good it is ErrOneMeta,
// and the report is of what that one shows.
func Verify(path string) (Report, error) {
	var r Report
	err := View(path, func(t Tx) (err error) {
		// The first fault is enough: pages that point at each other make too many to list. The
		// goroutine of the check then blocks for ever.
		if fault, bad := <-t.tx.Check(); bad {
			return fmt.Errorf("%w: %w", durable.ErrDamaged, fault)
		}
		r, err = t.verifyEntries(path)
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

// ErrOneMeta means that one meta page of a file is invalid: what can be read is good, and the last
// commit may be missing.
var ErrOneMeta = errors.New("one of its two meta pages is damaged, so the last entries may be missing")

// needBothMetas returns ErrOneMeta unless both meta pages of a bbolt file are valid. With one
// alone, bbolt silently goes back to the commit before the last. The meta stands 16 bytes into its
// page: 56 bytes, then their FNV-1a, little-endian.
func needBothMetas(path string) error {
	f, err := boltfile.OpenQuietly(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	const header, body, pageSizeAt = 16, 56, 8
	page := int64(os.Getpagesize())
	for i := range int64(2) {
		var meta [body + 8]byte
		if _, err := f.ReadAt(meta[:], i*page+header); err != nil {
			return err
		}
		h := fnv.New64a()
		h.Write(meta[:body])
		if h.Sum64() != binary.LittleEndian.Uint64(meta[body:]) {
			return ErrOneMeta
		}
		page = int64(binary.LittleEndian.Uint32(meta[pageSizeAt:]))
	}
	return nil
}

func (t Tx) verifyEntries(path string) (Report, error) {
	s, err := t.Segment()
	if err != nil {
		return Report{}, err
	}
	r := Report{Epoch: s.Epoch, First: s.Start.Size(), Next: s.Size, Root: s.Root}
	if err := s.checkName(path); err != nil {
		return r, err
	}
	if k, _ := t.tx.Bucket(bucketEntries).Cursor().Last(); s.Size > r.First && string(k) != string(key(s.Size-1)) {
		return r, fmt.Errorf("%w: entries behind the last", durable.ErrDamaged)
	}
	var leaves []tlog.Hash
	err = t.split(r.First, r.Next, func(_ uint64, _ []byte, e journaled.Stored, leaf tlog.Hash) error {
		if e.Erased {
			r.Erased++
		}
		leaves = append(leaves, leaf)
		return nil
	})
	if err != nil {
		return r, err
	}
	if s.Start.AddAll(leaves).Root() != s.Root {
		return r, errOtherRoot
	}
	r.Tiled, err = Tiles{filepath.Join(filepath.Dir(path), TreeName)}.compare(s.Epoch, r.First, leaves)
	return r, err
}

// Exit codes of a process that verifies a file. A fatal fault also means that the file is damaged;
// being killed from outside says nothing about it.
const (
	verifyStack = 4 << 20          // bytes: pages that point at each other end the process soon
	verifyTime  = 60 * time.Second // a check that takes longer is in a loop

	ExitGood       = 0
	ExitDamaged    = 1
	exitOneMeta    = 3
	ExitNotChecked = 75 // EX_TEMPFAIL of sysexits.h
)

// VerifyMain is the body of the process that VerifyBy starts: it verifies the file, prints its
// findings to w, and returns the exit code.
func VerifyMain(path string, w io.Writer) int {
	debug.SetMaxStack(verifyStack)
	r, err := Verify(path)
	if err == nil {
		fmt.Fprintln(w, r)
		return ExitGood
	}
	fmt.Fprintln(w, err)
	switch {
	case errors.Is(err, ErrOneMeta):
		return exitOneMeta
	case errors.Is(err, durable.ErrDamaged):
		return ExitDamaged
	}
	return ExitNotChecked
}

// VerifyBy returns an Options.Verify that runs a command with the path as its
// last argument; that command must end with what VerifyMain returns.
func VerifyBy(command string, args ...string) func(context.Context, string) error {
	return func(ctx context.Context, path string) error {
		_, err := verifyApart(ctx, path, command, args)
		return err
	}
}

// ReportBy is VerifyBy with the report of a good file, but for what was compared with tree.db. The
// command must be of the same version.
func ReportBy(command string, args ...string) func(context.Context, string) (Report, error) {
	return func(ctx context.Context, path string) (Report, error) {
		line, err := verifyApart(ctx, path, command, args)
		if err != nil {
			return Report{}, err
		}
		r, err := parseReport(line)
		if err != nil {
			err = fmt.Errorf("verify %s in its own process: %w", path, err)
		}
		return r, err
	}
}

// verifyApart returns the first line that the process says.
func verifyApart(ctx context.Context, path, command string, args []string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, verifyTime, errEndless)
	defer cancel()
	out, err := exec.CommandContext(ctx, command, append(slices.Clip(args), path)...).CombinedOutput()
	line := firstLine(out)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return line, nil
	case context.Cause(ctx) == errEndless:
		err = fmt.Errorf("verify %s in its own process: %w: %w", path, durable.ErrDamaged, errEndless)
	case ctx.Err() != nil:
		err = fmt.Errorf("verify %s: %w", path, ctx.Err())
	case errors.As(err, &exit) && exit.ExitCode() == exitOneMeta:
		err = fmt.Errorf("verify %s in its own process: %w", path, ErrOneMeta)
	case errors.As(err, &exit) && exit.ExitCode() != ExitNotChecked && !killed(exit):
		err = fmt.Errorf("verify %s in its own process: %w: %v: %s", path, durable.ErrDamaged, err, line)
	default:
		err = fmt.Errorf("verify %s in its own process: %w: %s", path, err, line)
	}
	return "", err
}

var errEndless = fmt.Errorf("no end within %v", verifyTime)

// killed reports whether the process was killed from outside: by a service manager that stops the
// gateway, or by the kernel for want of memory. No good file may be set aside for that.
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
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return string(line[:min(len(line), 300)])
}
