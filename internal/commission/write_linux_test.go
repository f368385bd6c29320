package commission

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const siteText = "building = \"lane-7\"\n# and what else stands there\n"

// TestWriter runs as another program that writes, and may write so many bytes to a file: at
// the next one the kernel refuses, or ends it.
func TestWriter(t *testing.T) {
	path := os.Getenv("COMMISSION_WRITER")
	if path == "" {
		t.Skip("only for the other tests")
	}
	most, err := strconv.Atoi(os.Getenv("COMMISSION_MOST"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(most), Max: uint64(most)}); err != nil {
		t.Fatal(err)
	}
	unix.Umask(0o077) // as the daemon's unit has it
	if err := Write(path, siteText, os.Getenv("COMMISSION_REPLACE") != ""); err != nil {
		os.Exit(7)
	}
	os.Exit(0)
}

// TestWriteCut: a disk that is full at any byte, or a program that ends there, leaves no
// site file, or the old one, and the next try goes through.
func TestWriteCut(t *testing.T) {
	for _, most := range []int{0, 1, len(siteText) / 2, len(siteText) - 1} {
		for _, old := range []string{"", "building = \"old\"\n"} {
			path := filepath.Join(t.TempDir(), "site.toml")
			replace := ""
			if old != "" {
				replace = "yes"
				if err := os.WriteFile(path, []byte(old), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestWriter$")
			cmd.Env = append(os.Environ(), "COMMISSION_WRITER="+path, "COMMISSION_MOST="+strconv.Itoa(most), "COMMISSION_REPLACE="+replace)
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Fatalf("%d bytes were enough: %s", most, out)
			}
			got, err := os.ReadFile(path)
			if old == "" && !errors.Is(err, fs.ErrNotExist) || string(got) != old {
				t.Errorf("cut after %d bytes, %q stands there, %v", most, got, err)
			}
			if err := Write(path, siteText, old != ""); err != nil {
				t.Errorf("after a cut at %d bytes: %v", most, err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != siteText {
				t.Errorf("then %q, %v", got, err)
			}
		}
	}
}

// TestWriteOnce: a file that is there is left alone; replaced, the old one is kept.
func TestWriteOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etc", "gatehouse", "site.toml")
	if err := Write(path, siteText, false); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, "other", false); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if got, _ := os.ReadFile(path); string(got) != siteText {
		t.Errorf("it says %q", got)
	}
	if err := Write(path, "other", true); err != nil {
		t.Fatal(err)
	}
	now, _ := os.ReadFile(path)
	old, _ := os.ReadFile(path + ".old")
	if string(now) != "other" || string(old) != siteText {
		t.Errorf("%q beside %q", now, old)
	}
	if info, err := os.Stat(path); err != nil || !strings.HasPrefix(info.Mode().String(), "-rw-r--r--") {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestWriteReadable: a daemon that keeps its own files to itself writes one that others read.
func TestWriteReadable(t *testing.T) {
	for _, replace := range []string{"", "yes"} {
		path := filepath.Join(t.TempDir(), "site.toml")
		cmd := exec.Command(os.Args[0], "-test.run=^TestWriter$")
		cmd.Env = append(os.Environ(), "COMMISSION_WRITER="+path, "COMMISSION_MOST=1000000", "COMMISSION_REPLACE="+replace)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
}
