package ratelog

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l, other := New(zerolog.New(&out)), New(zerolog.New(&out))
		say := func(times int) string {
			out.Reset()
			for range times {
				l.Warn().Msg("refused")
			}
			return out.String()
		}
		if got := say(1); strings.Count(got, "\n") != 1 || strings.Contains(got, "more") {
			t.Errorf("the first line: %q", got)
		}
		if got := say(500); got != "" {
			t.Errorf("within the minute: %q", got)
		}
		if other.Warn().Msg("another thing"); out.Len() == 0 {
			t.Error("lines of another kind are held back")
		}
		time.Sleep(apart)
		if got := say(3); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"more":500`) {
			t.Errorf("after a minute: %q", got)
		}
		time.Sleep(apart)
		if got := say(1); !strings.Contains(got, `"more":2`) {
			t.Errorf("after another: %q", got)
		}
		time.Sleep(apart)
		if got := say(1); strings.Contains(got, "more") {
			t.Errorf("with none left out: %q", got)
		}
	})
}
