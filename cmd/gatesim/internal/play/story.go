package play

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Story is what a demo tells on its output. Safe for concurrent use.
type Story struct {
	Began time.Time
	mu    sync.Mutex
	Out   io.Writer
}

// Print prints text as it is.
func (s *Story) Print(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.Out, format, args...)
}

// Say prints one line of the story.
func (s *Story) Say(where, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.Out, "%6.1fs  %-6s %s\n", time.Since(s.Began).Seconds(), where, fmt.Sprintf(format, args...))
}

// Tail prints the last lines of a log.
func Tail(w io.Writer, log string) {
	const most = 4000
	b, err := os.ReadFile(log)
	if err != nil {
		return
	}
	if len(b) > most {
		b = b[len(b)-most:]
	}
	fmt.Fprintf(w, "\n%s ends with:\n%s\n", filepath.Base(filepath.Dir(log))+"/"+filepath.Base(log), b)
}
