package devicetest

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/device"
)

// maxLine bounds one line of the protocol: a request of a board's worth of
// lines is far shorter.
const maxLine = 64 << 10

// maxQueue is how many edges wait for a reader, as many as the daemon asks of
// the kernel. What does not fit is dropped: the reader sees the gap in the
// sequence numbers.
const maxQueue = 1024

type request struct {
	ID        uint64 `json:"id"`
	Op        string `json:"op"`
	Chip      string `json:"chip,omitempty"`
	Offsets   []int  `json:"offsets,omitempty"`
	ActiveLow bool   `json:"active_low,omitempty"`
	Both      bool   `json:"both,omitempty"`
	Handle    uint64 `json:"handle,omitempty"`
	Active    bool   `json:"active,omitempty"`
}

type reply struct {
	ID     uint64 `json:"id,omitempty"`
	Error  string `json:"error,omitempty"`
	Code   string `json:"code,omitempty"`
	Levels []bool `json:"levels,omitempty"`
	Handle uint64 `json:"handle,omitempty"`
	Edges  []edge `json:"edges,omitempty"`
}

type edge struct {
	Line   uint8  `json:"line"`
	Active bool   `json:"active,omitempty"`
	At     int64  `json:"at"`
	Seq    uint32 `json:"seq"`
}

const (
	codeMissing = "missing"
	codeBusy    = "busy"
	codeInvalid = "invalid"
)

// refusal is an error of the board that crosses the connection.
type refusal struct{ code, text string }

func (r refusal) Error() string { return r.text }

// Is lets the daemon's side branch as it does on a real chip.
func (r refusal) Is(target error) bool { return r.code == codeMissing && target == os.ErrNotExist }

func refuse(code, format string, args ...any) error {
	return refusal{code, fmt.Sprintf(format, args...)}
}

func replyTo(id uint64, err error) reply {
	if err == nil {
		return reply{ID: id}
	}
	var r refusal
	if !errors.As(err, &r) {
		r = refusal{codeInvalid, err.Error()}
	}
	return reply{ID: id, Error: r.text, Code: r.code}
}

func (r reply) err() error {
	if r.Error == "" {
		return nil
	}
	return refusal{r.Code, r.Error}
}

func (e edge) edge() device.Edge {
	return device.Edge{Line: e.Line, Active: e.Active, At: time.Duration(e.At), Seq: e.Seq}
}

// monotonic is the clock that the kernel stamps edges with.
func monotonic() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("no monotonic clock: " + err.Error()) // a kernel without it runs no Go program
	}
	return time.Duration(t.Nano())
}
