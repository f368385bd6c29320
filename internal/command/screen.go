package command

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Screen writes text to another writer, so that what others have written does not work
// on the terminal of whoever reads it. It judges no words. Characters that are not to be seen, and
// those that turn the direction of others, become \uXXXX (UTF-16, as in JSON, so
// that JSON stays JSON with the same meaning); line feeds and tabs stay. Each Write
// must have whole characters. Safe for concurrent use if the other writer is.
type Screen struct{ To io.Writer }

// Write writes all of b, or returns the other writer's error with 0.
func (w Screen) Write(b []byte) (int, error) {
	if _, err := io.WriteString(w.To, Plain(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Plain returns the text as a Screen writes it. Plain of plain text is the same.
func Plain(text string) string {
	if !strings.ContainsFunc(text, hidden) {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	var out strings.Builder
	for _, r := range text {
		if !hidden(r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.String()
}

func hidden(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsGraphic(r) }
