package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	profiles "gatehouse/firmware-profiles"
)

// call runs the tool without a daemon.
func call(t *testing.T, args ...string) (status int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(""), &o, &e)
	return status, o.String(), e.String()
}

// TestProfileList: every embedded profile is listed, and one of the house's own
// that can't be used with what is wrong.
func TestProfileList(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "readers"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "readers", "broken.toml"), []byte("name = 1\n"), 0o600))
	status, out, errOut := call(t, "profile", "list", "--profiles", dir)
	if status != 0 || errOut != "" {
		t.Fatalf("status %d, %s", status, errOut)
	}
	for _, kind := range []string{"boards", "readers"} {
		files, err := fs.ReadDir(profiles.Files, kind)
		must(t, err)
		for _, f := range files {
			if name := strings.TrimSuffix(f.Name(), ".toml"); !strings.Contains(out, "\n"+name+" ") {
				t.Errorf("%s is not listed", name)
			}
		}
	}
	if !strings.Contains(out, "can't be used: ") {
		t.Errorf("the broken one is not told:\n%s", out)
	}
	status, out, _ = call(t, "--json", "profile", "list")
	var all []struct{ Name, Origin string }
	if err := json.Unmarshal([]byte(out), &all); status != 0 || err != nil || len(all) < 30 || all[0].Origin == "" {
		t.Errorf("status %d, %d entries, %v", status, len(all), err)
	}
}

func TestProfileShow(t *testing.T) {
	raw, err := profiles.Files.ReadFile("readers/rdm6300.toml")
	must(t, err)
	if status, out, errOut := call(t, "profile", "show", "rdm6300"); status != 0 || out != string(raw) {
		t.Errorf("status %d, %s, %d bytes; want the file's %d", status, errOut, len(out), len(raw))
	}
	status, out, _ := call(t, "--json", "profile", "show", "raspberry-pi-4")
	var b struct {
		Chips []struct{ Label string }
	}
	if err := json.Unmarshal([]byte(out), &b); status != 0 || err != nil || len(b.Chips) == 0 || b.Chips[0].Label != "pinctrl-bcm2711" {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	if status, _, errOut := call(t, "profile", "show", "toaster"); status != 1 || !strings.Contains(errOut, "hint: gatehouse profile list") {
		t.Errorf("status %d, %s", status, errOut)
	}
}

// TestProfileCheck: a good file is status 0 with a line a sample; a sample that
// comes out otherwise is status 1 and says what came; a wrong key its line.
func TestProfileCheck(t *testing.T) {
	raw, err := profiles.Files.ReadFile("readers/rdm6300.toml")
	must(t, err)
	path := filepath.Join(t.TempDir(), "mine.toml")
	write := func(text string) { must(t, os.WriteFile(path, []byte(text), 0o600)) }

	write(string(raw))
	if status, out, errOut := call(t, "profile", "check", path); status != 0 || !strings.Contains(out, "sample 1 ok") || !strings.Contains(out, "rdm6300: this reader can be used") {
		t.Errorf("good file: status %d, %s%s", status, out, errOut)
	}
	write(strings.Replace(string(raw), `hex = "62e3086ced"`, `hex = "62e3086cee"`, 1))
	status, out, errOut := call(t, "profile", "check", path)
	if status != 1 || !strings.Contains(out, "sample 1 WRONG") || !strings.Contains(out, "got card of 40 bits 62e3086ced") || !strings.Contains(errOut, "hint: ") || strings.Contains(out, "can be used") {
		t.Errorf("wrong sample: status %d, %s%s", status, out, errOut)
	}
	write("colour = 'red'\n" + string(raw))
	if status, _, errOut = call(t, "profile", "check", path); status != 1 || !strings.Contains(errOut, `line 1: unknown key "colour"`) {
		t.Errorf("unknown key: status %d, %s", status, errOut)
	}
	if status, _, _ = call(t, "profile", "check", path+".none"); status != 1 {
		t.Errorf("no file: status %d", status)
	}
}

// TestProfileCheckBoard: a board whose relay would be energised at power-on is
// refused; of a good one is told what the site file must say.
func TestProfileCheckBoard(t *testing.T) {
	raw, err := profiles.Files.ReadFile("boards/raspberry-pi-4.toml")
	must(t, err)
	path := filepath.Join(t.TempDir(), "board.toml")
	must(t, os.WriteFile(path, raw, 0o600))
	if status, out, _ := call(t, "profile", "check", path); status != 0 || !strings.Contains(out, "keeps its state") || !strings.Contains(out, "this board can be used") {
		t.Errorf("good board: status %d, %s", status, out)
	}
	must(t, os.WriteFile(path, bytes.Replace(raw, []byte("line = 17"), []byte("line = 4"), 1), 0o600))
	if status, out, errOut := call(t, "profile", "check", path); status != 1 || !strings.Contains(errOut, "would energise the relay") {
		t.Errorf("unsafe board: status %d, %s%s", status, out, errOut)
	}
}
