// Package input reads what people type and what files and pipes hold, and never waits longer than
// its context: a question ends by Ctrl-C and by the service manager's signal, and so does a pipe
// that nobody writes to.
package input

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Reader reads from From until Ctx ends; from then on each Read returns its error. A read that
// waits then is left alone: what it would have read is lost, and its goroutine ends with From, or
// with the process. For one reader at a time.
type Reader struct {
	Ctx  context.Context
	From io.Reader
}

// Read returns what came, or the context's error.
func (r Reader) Read(b []byte) (int, error) {
	own := make([]byte, len(b)) // b is the caller's again when Read has returned
	n, err := Until(r.Ctx, func() (int, error) { return r.From.Read(own) })
	return copy(b, own[:n]), err
}

// Open opens a file for reading, a pipe too. It returns the context's error where that ends before
// somebody writes to the pipe, and so does each Read later.
func Open(ctx context.Context, path string) (io.ReadCloser, error) {
	f, err := Until(ctx, func() (*os.File, error) { return os.Open(path) })
	if err != nil {
		return nil, err
	}
	return struct {
		Reader
		io.Closer
	}{Reader{ctx, f}, f}, nil
}

// ReadFile reads a file, a pipe too, of at most the given number of bytes. It returns the context's
// error where that ends first.
func ReadFile(ctx context.Context, path string, most int64) ([]byte, error) {
	return Until(ctx, func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, most+1))
		if err == nil && int64(len(b)) > most {
			return nil, fmt.Errorf("%s has more than %d bytes, so it is another file than wanted", path, most)
		}
		return b, err
	})
}

// Until returns what do returns, or the context's error as soon as that ends.
func Until[T any](ctx context.Context, do func() (T, error)) (none T, err error) {
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := do()
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
