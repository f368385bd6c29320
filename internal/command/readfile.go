package command

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"gatehouse/internal/input"
	"gatehouse/internal/socket"
)

// ReadFile reads a file that an argument names, of at most the given number of bytes. Of one that can't be read or is empty
// the error says why, in both languages, and the hint which file is wanted. It returns the context's error where that ends first.
func ReadFile(ctx context.Context, path string, most int64, hint string) ([]byte, error) {
	b, err := input.ReadFile(ctx, path, most)
	var p *fs.PathError
	switch {
	case ctx.Err() != nil:
		return nil, err
	case err == nil && len(b) > 0:
		return b, nil
	case err == nil:
		return nil, socket.Hinted(hint, "%s 是空文件 is empty", path)
	case errors.As(err, &p):
		return nil, socket.Hinted(hint, "%s 读不了 can't be read: %s", path, unreadable(p))
	}
	return nil, socket.Hinted(hint, "%s 太大 is too large: %v", path, err)
}

func unreadable(err *fs.PathError) string {
	if about, failed := os.Stat(err.Path); failed == nil && about.IsDir() {
		return "是一个目录 it is a directory"
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "没有这个文件 there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "没有读取权限 you may not read it"
	}
	return err.Err.Error()
}
