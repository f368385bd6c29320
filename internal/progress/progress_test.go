package progress

import (
	"bytes"
	"strings"
	"testing"
)

// TestBar: a bar is drawn over itself and wiped out, on a terminal alone.
func TestBar(t *testing.T) {
	var screen, file bytes.Buffer
	b := Bar{&screen}
	b.Show(0, 0)
	b.Show(1, 2)
	if text := screen.String(); !strings.HasSuffix(text, "\r\x1b[K["+strings.Repeat("#", 15)+strings.Repeat(".", 15)+"]  50 %") {
		t.Errorf("it shows %q", text)
	}
	if b.Clear(); !strings.HasSuffix(screen.String(), "%\r\x1b[K") {
		t.Errorf("it ends with %q", screen.String())
	}
	b = NewBar(&file)
	b.Show(1, 2)
	if b.Clear(); file.Len() > 0 {
		t.Errorf("a file gets %q", file.String())
	}
}
