//go:build !linux

package virtual

import "errors"

func mountTmpfs(string) error          { return errors.ErrUnsupported }
func limitTmpfs(string, uint64) error  { return errors.ErrUnsupported }
func usedTmpfs(string) (uint64, error) { return 0, errors.ErrUnsupported }
func unmountTmpfs(string) error        { return errors.ErrUnsupported }
