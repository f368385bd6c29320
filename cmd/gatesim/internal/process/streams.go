package process

import (
	"fmt"
	"io"
)

// Streams is where a command writes.
type Streams struct{ Out, Err io.Writer }

// ExitCode ends the program without a word: what there was to say is said.
type ExitCode int

func (c ExitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }
