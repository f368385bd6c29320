package ahead

import (
	"errors"
	"os"
	"syscall"
)

// syncData syncs what was written to f. The file's size and blocks do not change, so that nothing
// else has to be written.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
