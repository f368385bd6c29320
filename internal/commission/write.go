package commission

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
)

// Write writes a site file so that after a power cut at any moment there is the whole file or none.
// An existing file is an error that wraps fs.ErrExist, unless replace is true: then it is kept as
// path + ".old", and there is always the old or the new. Everybody who may enter its directory may
// read it, whatever the umask of this process.
func Write(path, text string, replace bool) error {
	if err := durable.MakeDir(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("directory of the site file: %w", err)
	}
	if !replace {
		return durable.Create(path, func(temp string) error {
			return errors.Join(os.WriteFile(temp, []byte(text), mode), os.Chmod(temp, mode))
		})
	}
	old, err := os.ReadFile(path)
	switch {
	case err == nil:
		err = durable.WriteFile(path+".old", old, mode)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return fmt.Errorf("keep the old site file: %w", err)
	}
	return errors.Join(durable.WriteFile(path, []byte(text), mode), os.Chmod(path, mode))
}

// mode is that of a site file.
const mode = 0o644
