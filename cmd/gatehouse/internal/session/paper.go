package session

import (
	"errors"

	"gatehouse/internal/command"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire"
)

// Paper reads a signed paper, which is one message. Where the file can't be read, the hint says which one is wanted.
func (s *Session) Paper(path, hint string) ([]byte, error) {
	return command.ReadFile(s.Ctx, path, wire.MaxMessage, hint)
}

// InBoth is an error of the daemon in both languages, Chinese first, where the page has words for it: papers are shown by
// officers, who read this tool's English no better than a landlord does.
func InBoth(err error) error {
	var e *socket.Error
	if !errors.As(err, &e) {
		return err
	}
	key := text.KeyOf(e.Message)
	if key == "" {
		return err
	}
	words, failed := text.Load()
	if failed != nil {
		return failed
	}
	both := *e
	both.Message = words.Say(text.Chinese, key) + " " + e.Message
	if words.Has(key + "_do") {
		both.Hint = words.Say(text.Chinese, key+"_do") + " " + e.Hint
	}
	return &both
}
