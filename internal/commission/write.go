package commission

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
)

// Write puts a site file down so that after a power cut at any moment there is the whole
// file or none. One that is there already is an error that wraps fs.ErrExist, unless
// replace is true: then it is kept as path + ".old", and there is always the old or the new.
func Write(path, text string, replace bool) error {
	if err := durable.MakeDir(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("directory of the site file: %w", err)
	}
	if !replace {
		return durable.Create(path, func(temp string) error { return os.WriteFile(temp, []byte(text), 0o644) })
	}
	old, err := os.ReadFile(path)
	switch {
	case err == nil:
		err = durable.WriteFile(path+".old", old, 0o644)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return fmt.Errorf("keep the old site file: %w", err)
	}
	return durable.WriteFile(path, []byte(text), 0o644)
}
