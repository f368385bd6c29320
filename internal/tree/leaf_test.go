package tree

import (
	"bytes"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func TestLeafHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.Byte(), 0, 2*leafOnStack).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "b")
		if got, want := LeafHash(a, b), tlog.RecordHash(append(bytes.Clone(a), b...)); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}
