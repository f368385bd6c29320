// Package progress shows people how far something is that takes long. It refuses to write to what is no
// terminal: there it would stand among results.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Bar shows on a terminal how far something is; elsewhere it shows nothing. Show and Clear are called by one at a time.
type Bar struct{ to io.Writer }

// NewBar makes a bar on the terminal that to is.
func NewBar(to io.Writer) Bar {
	if f, ok := to.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return Bar{to}
	}
	return Bar{io.Discard}
}

const barWidth = 30 // characters

// Show draws the bar anew.
func (b Bar) Show(done, all int64) {
	full := int(done * barWidth / max(all, 1))
	fmt.Fprintf(b.to, "\r\x1b[K[%s%s] %3d %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done*100/max(all, 1))
}

// Clear leaves the terminal's line to what comes next.
func (b Bar) Clear() { fmt.Fprint(b.to, "\r\x1b[K") }
