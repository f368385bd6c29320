package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/socket"
)

// TestReadFile: why a file can't be read is said in both languages, with which one is wanted.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string]string{"表格 1.json": "{}", "empty": "", "large": "12345", "shut": "x"} {
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := ReadFile(t.Context(), at("表格 1.json"), 4, "take it"); err != nil || string(b) != "{}" {
		t.Errorf("%q, %v", b, err)
	}
	wrong := map[string]string{"none": "没有这个文件 there is no such file", "": "是一个目录 it is a directory", "empty": "是空文件 is empty", "large": "太大 is too large",
		"empty/x": "not a directory", `C:\Users\a\form.json`: "没有这个文件 there is no such file"}
	if os.Chmod(at("shut"), 0) == nil && os.Geteuid() != 0 {
		wrong["shut"] = "没有读取权限 you may not read it"
	}
	for name, want := range wrong {
		_, err := ReadFile(t.Context(), at(name), 4, "take it")
		var e *socket.Error
		if !errors.As(err, &e) || e.Hint != "take it" || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), at(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone, end := context.WithCancel(t.Context())
	end()
	if _, err := ReadFile(gone, at("none"), 4, ""); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
