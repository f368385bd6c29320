package exhibit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"unicode/utf8"

	"crypto/sha256"

	"gatehouse/internal/command"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire/sealing"
)

type openCmd struct {
	Sealed string `arg:"" help:"The answer, as gatehouse query or registryd query wrote it: the evidence, or the list of names beside it."`
	Key    string `required:"" help:"The recipient's private key, as gatehouse mandate key --receive made it." placeholder:"FILE"`
	Out    string `required:"" help:"New file for what is in it." placeholder:"FILE"`
	Lang   string `help:"zh or en; if not given, the system's." enum:",zh,en" default:""`
}

// openedFile is the answer of `evidence open`.
type openedFile struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// Run opens an answer and writes what is in it, to the byte; what that proves is for verify.
func (o openCmd) Run(c *Caller) error {
	words, err := text.Load()
	if err != nil {
		return err
	}
	say := func(key string, args ...any) string { return words.Say(text.System(o.Lang), "evidence."+key, args...) }
	raw, err := command.ReadFile(c.Ctx, o.Key, mostKey, say("do_no_receiver"))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != sealKey {
		return socket.Hinted(say("do_no_receiver"), "%s", say("no_receiver", o.Key))
	}
	sealed, err := command.ReadFile(c.Ctx, o.Sealed, mostFile, say("do_no_answer"))
	if err != nil {
		return err
	}
	file, err := sealing.Unseal(block.Bytes, sealing.Answer, "", sealed)
	if err != nil {
		return o.shut(sealed, say)
	}
	if err := writable(o.Out, say); err != nil {
		return err
	}
	if err := writeNew(o.Out, file); err != nil {
		return err
	}
	sum := sha256.Sum256(file)
	done := openedFile{o.Out, hex.EncodeToString(sum[:])}
	key := command.Choose(isNames(file), "opened_names", "opened")
	return c.Print(done, nil, func(w io.Writer) { fmt.Fprintf(w, "%s\nSHA-256 %s\n", say(key, done.File), done.SHA256) })
}

// shut says why a file does not open: one that is open already, and what is no answer, ask for no other key.
func (o openCmd) shut(file []byte, say func(string, ...any) string) error {
	switch {
	case bytes.HasPrefix(file, []byte("PK\x03\x04")):
		return socket.Hinted(say("do_open_already", o.Sealed), "%s", say("open_already", o.Sealed))
	case isNames(file):
		return socket.Hinted(say("do_names"), "%s", say("open_already", o.Sealed))
	case utf8.Valid(file): // the key and the cipher text of an answer are random
		return socket.Hinted(say("do_no_answer"), "%s", say("no_answer", o.Sealed))
	}
	return socket.Hinted(say("do_not_for_key"), "%s", say("not_for_key", o.Sealed))
}

// isNames reports whether a file is the list of names that a registry's answer has beside its evidence.
func isNames(file []byte) bool {
	var all []struct{ Tenancy *string }
	return json.Unmarshal(file, &all) == nil && !slices.ContainsFunc(all, func(p struct{ Tenancy *string }) bool { return p.Tenancy == nil })
}

// sealKey is the kind of the recipient's key file.
const sealKey = "GATEHOUSE SEAL KEY"

// writable refuses a file that can't be made, before anybody is asked for what goes into it.
func writable(out string, say func(string, ...any) string) error {
	err := writeNew(out, nil)
	switch p := (*fs.PathError)(nil); {
	case err == nil:
		return os.Remove(out)
	case errors.Is(err, fs.ErrExist):
		return socket.Hinted(say("do_exists"), "%s", say("exists", out))
	case errors.As(err, &p):
		err = p.Err
	}
	return socket.Hinted(say("do_unwritable"), "%s", say("unwritable", out, err))
}

// writeNew writes a file that is not there yet, whole or not at all.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(name)
	}
	return err
}
