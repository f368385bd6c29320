package catalogue

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestEpochsFile: what is written is read; anything else is bad.
func TestEpochsFile(t *testing.T) {
	dir := t.TempDir()
	list := []epochLine{{1, "60", []uint64{0, 40}, []uint64{20}}, {2, unknownMark, []uint64{0}, nil}, {3, openMark, nil, nil}}
	if err := storeEpochs(dir, list); err != nil {
		t.Fatal(err)
	}
	if got, bad := readEpochs(dir); bad || fmt.Sprint(got) != fmt.Sprint(list) {
		t.Errorf("%v, %t", got, bad)
	}
	b, _ := os.ReadFile(filepath.Join(dir, EpochsName))
	for i := range b {
		spoilt := slices.Clone(b)
		spoilt[i] ^= 1
		if err := os.WriteFile(filepath.Join(dir, EpochsName), spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, bad := readEpochs(dir); !bad {
			t.Errorf("byte %d changed: not seen", i)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, EpochsName), []byte("0000000000000001 open\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, bad := readEpochs(dir); bad || len(got) != 1 {
		t.Errorf("of an older program: %v, %t", got, bad)
	}
}
