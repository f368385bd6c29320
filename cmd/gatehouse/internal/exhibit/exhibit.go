// Package exhibit has the commands gatehouse verify and gatehouse evidence: what an evidence file
// proves, printed for people in Chinese or English, for tables, and as a page to sign.
//
// They need no daemon and no network, and run wherever a court's expert works: this package refuses
// to import what only a gateway's system has. A file that proves nothing is never printed.
package exhibit

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"strings"

	"gatehouse/internal/command"
	"gatehouse/internal/evidence"
	"gatehouse/internal/evidence/stamp"
	"gatehouse/internal/input"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
)

// Caller is the environment of these commands.
type Caller struct {
	command.Console
	Ctx context.Context
}

// Exit statuses besides 0 (all is proved), 1 (refused) and 2 (called wrongly).
const partly = 3 // good as far as it goes, but no root was given, no witness has signed all of it, or nobody knows who stamped it

// Source is the file and what the caller believes.
type Source struct {
	File  string `arg:"" help:"The evidence file, as it was handed over."`
	Root  string `help:"The root's public key: root.pub, or its 64 hexadecimal digits from the printed form; of a house without a registry the gateway's." placeholder:"KEY" xor:"by"`
	Trust string `help:"Instead of --root: a trust document of that registry, trust.cose." placeholder:"FILE" xor:"by"`
	Lang  string `help:"zh or en; if not given, the system's." enum:",zh,en" default:""`
}

// Verify is the command that says what a file proves.
type Verify struct {
	Source
	Stamped
}

// Evidence are the commands that show what is in a file.
type Evidence struct {
	Open  openCmd  `cmd:"" help:"Open a sealed answer of a gateway or a registry with the recipient's key; what comes out is the evidence file, or a registry's list of names."`
	Print printCmd `cmd:"" help:"Print the entries of a file that is proved: a table, --csv, or --html as a page to print and sign."`
	Stamp stampCmd `cmd:"" help:"Get a time stamp over a file from an authority of your choice: it says that the file existed before that time."`
	Proof proofCmd `cmd:"" help:"Print the proof of one entry as a C2SP tlog-proof, which tells nobody's card."`
}

const (
	mostFile = 1 << 30
	mostKey  = 64 << 10
)

// opened is a file that proves something.
type opened struct {
	evidence.Report
	words text.Words
	say   func(key string, args ...any) string
	lang  text.Language
	size  int
	stamp *stamp.Stamp // nil: none was given
}

// open reads and judges the file.
func (s Source) open(c *Caller) (o opened, err error) {
	words, err := text.Load()
	if err != nil {
		return o, err
	}
	o.words, o.lang = words, text.System(s.Lang)
	o.say = func(key string, args ...any) string { return words.Say(o.lang, "evidence."+key, args...) }
	trust, err := s.trust(c, o.say)
	if err != nil {
		return o, err
	}
	file, err := command.ReadFile(c.Ctx, s.File, mostFile, o.say("do_file"))
	if err != nil {
		return o, err
	}
	o.size = len(file)
	if o.Report, err = evidence.Verify(file, trust); err != nil {
		return o, s.refusal(file, err, o.say)
	}
	return o, nil
}

// trust reads what the caller believes; nothing is given: nothing.
func (s Source) trust(c *Caller, say func(string, ...any) string) (t evidence.Trust, err error) {
	if s.Trust != "" {
		t.Document, err = command.ReadFile(c.Ctx, s.Trust, mostKey, say("do_trust"))
		return t, err
	}
	if s.Root == "" {
		return t, nil
	}
	if t.Root = typedKey(s.Root); t.Root != nil {
		return t, nil
	}
	raw, err := input.ReadFile(c.Ctx, s.Root, mostKey)
	if err == nil {
		if t.Root = keyIn(raw); t.Root != nil {
			return t, nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	return t, socket.Hinted(say("do_no_root"), "%s", say("no_root", s.Root))
}

// typedKey reads a key as the form shows it, nil where it is none.
func typedKey(typed string) ed25519.PublicKey {
	b, err := hex.DecodeString(strings.Join(strings.Fields(typed), ""))
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil
	}
	return b
}

// keyIn reads a key from a file: PEM, or as the form shows it.
func keyIn(raw []byte) ed25519.PublicKey {
	block, _ := pem.Decode(raw)
	if block == nil {
		return typedKey(string(raw))
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if public, ok := parsed.(ed25519.PublicKey); ok && err == nil {
		return public
	}
	return nil
}

// shown is a key as the form shows it: 64 hexadecimal digits in groups.
func shown(key ed25519.PublicKey) string {
	var groups []string
	for b := key; len(b) > 0; b = b[4:] {
		groups = append(groups, hex.EncodeToString(b[:4]))
	}
	return strings.Join(groups, " ")
}

// wordsOf has the words for a refusal whose code is that of other words.
var wordsOf = map[evidence.Code]string{evidence.BadEntries: "bad_entries", evidence.BadClock: "bad_clock"}

// refusal puts what is wrong with a file, and what to do, into words.
func (s Source) refusal(file []byte, err error, say func(string, ...any) string) error {
	var r *evidence.Refusal
	if !errors.As(err, &r) {
		return err
	}
	key := string(r.Code)
	if other, ok := wordsOf[r.Code]; ok {
		key = other
	}
	where := ""
	if r.Member != "" {
		where = say("member", r.Member)
	}
	todo := say("do_maker")
	switch r.Code {
	case evidence.NotEvidence:
		todo = say("do_open", s.File)
		if isNames(file) {
			key, todo = "only_names", say("do_names")
		}
	case evidence.Repacked, evidence.Cut, evidence.Changed:
		todo = say("do_original")
	case evidence.Newer:
		todo = say("do_newer")
	case evidence.OtherRoot:
		todo = say("do_root")
	}
	return socket.Hinted(todo, "%s", say("refused", say(key)+where))
}

// status is the exit status that the report deserves.
func (o opened) status() error {
	if o.Whole() && (o.stamp == nil || o.stamp.Known) {
		return nil
	}
	return command.Ended{Status: partly}
}
