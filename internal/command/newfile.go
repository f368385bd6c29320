//go:build !windows

package command

import (
	"errors"
	"io/fs"

	"gatehouse/internal/durable"
	"gatehouse/internal/socket"
)

// NewFile tries to make the file that an option names, and leaves none: a command asks it before it does anything, so that
// nothing is done, or written down as done, whose result can't be kept.
func NewFile(option, path string) error {
	err := durable.CanCreate(path)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return socket.Hinted("另取文件名 name another file", "%s 已经存在 is there already", path)
	}
	return socket.Hinted(option+" 指定可写目录中的新文件；什么都没有做 names a new file in a directory that is there and that you may write to; nothing was done", "%s 不能写入 can't be written: %v", path, err)
}
