//go:build !linux

package virtual

import "errors"

func mountRoom(string) error          { return errors.ErrUnsupported }
func limitRoom(string, uint64) error  { return errors.ErrUnsupported }
func usedRoom(string) (uint64, error) { return 0, errors.ErrUnsupported }
func unmountRoom(string) error        { return errors.ErrUnsupported }
