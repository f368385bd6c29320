// Package witness cosigns checkpoints of other people's logs with the registry's witness key, by add-checkpoint of
// C2SP tlog-witness: another registry, or any log, gets a second pair of eyes.
//
// It cosigns for the logs that its configuration names, and only what a key named there has signed and what leads on
// from the checkpoint that it has cosigned last, which it has on disk before it answers. It refuses to cosign while
// the registry's clock is in doubt, after its database was put back from a copy, and for an origin of a gateway: these
// are cosigned when their entries are stored, and never on somebody's word.
package witness

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// Log is a log of others, by the line that its checkpoints begin with, and the keys that sign them, as verifiers of
// signed notes take them.
type Log struct {
	Origin string   `toml:"origin"`
	Keys   []string `toml:"keys"`
}

// gateways is what the origins of our own gateways begin with.
const gateways = "gatehouse/"

// Check returns what is wrong with a list of logs, in words for whoever wrote it.
func Check(logs []Log) error {
	known := map[string]bool{}
	for _, l := range logs {
		switch {
		case l.Origin == "" || strings.ContainsAny(l.Origin, "\r\n"):
			return errors.New("witness.origin: want the first line of the log's checkpoints")
		case strings.HasPrefix(l.Origin, gateways):
			return fmt.Errorf("witness.origin %q: origins of gateways are cosigned when their entries are stored, and not on request", l.Origin)
		case known[l.Origin]:
			return fmt.Errorf("witness.origin %q: it stands there twice", l.Origin)
		case len(l.Keys) == 0:
			return fmt.Errorf("witness.keys of %q: want at least one, NAME+ID+KEY, as the log's operator gives it", l.Origin)
		}
		if _, err := l.verifiers(); err != nil {
			return err
		}
		known[l.Origin] = true
	}
	return nil
}

func (l Log) verifiers() (note.Verifiers, error) {
	var all []note.Verifier
	for _, key := range l.Keys {
		v, err := note.NewVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("witness.keys of %q: %q is no Ed25519 key of a signed note, NAME+ID+KEY: %w", l.Origin, key, err)
		}
		all = append(all, v)
	}
	return note.VerifierList(all...), nil
}

// Options of a Witness. All are needed.
type Options struct {
	Logs     []Log
	Registry string // its id
	Key      ed25519.PrivateKey
	Store    *store.Store
	Clock    *agreed.Clock
	Dir      string // the front's state directory
	Log      zerolog.Logger
	Limited  *zerolog.Logger // rate-limited, for events that any log can cause
}

// Witness answers logs. It is safe for concurrent use.
type Witness struct {
	o    Options
	logs map[string]note.Verifiers
	off  string // the file because of which nothing is cosigned; empty: none
}

// OffFile stands in the front's state directory from the start on that finds the database put back, until somebody
// removes it.
const OffFile = "witness.off"

// offText is what the file says, for whoever finds it.
const offText = `The front's database was put back from a copy, or is gone, so that it may have cosigned newer checkpoints of other
logs than it knows. It cosigns none of them until this file is removed and the front is started again. Remove it when
each log has shown that its newest checkpoint with this registry's cosignature is not newer than what registryd knows,
or when the registry has another witness key: registryd trust new --replace witness.
`

// New returns a Witness.
func New(o Options) (*Witness, error) {
	w := &Witness{o: o, logs: map[string]note.Verifiers{}}
	for _, l := range o.Logs {
		v, err := l.verifiers()
		if err != nil {
			return nil, err
		}
		w.logs[l.Origin] = v
	}
	off := filepath.Join(o.Dir, OffFile)
	if found := o.Store.Found; found.Restored || found.Lost {
		if err := durable.WriteFile(off, []byte(offText), 0o600); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(off); err == nil {
		w.off = off
		o.Log.Error().Str("file", off).Msg("no checkpoint of another log is cosigned: the database was put back; the file says what to do")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return w, nil
}

// answer is what a log gets: a status, and a body of a content type.
type answer struct {
	status int
	kind   string
	body   string
}

const (
	plain    = "text/plain; charset=utf-8"
	sizeType = "text/x.tlog.size"
)

func refused(status int, format string, args ...any) answer {
	return answer{status, plain, fmt.Sprintf(format, args...) + "\n"}
}

// conflict names the size from which the log has to go on.
func conflict(size uint64) answer {
	return answer{http.StatusConflict, sizeType, fmt.Sprintf("%d\n", size)}
}

// ServeHTTP is add-checkpoint.
func (w *Witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, wire.MaxMessage))
	a := refused(http.StatusBadRequest, "the request can't be read, or has more than %d bytes", wire.MaxMessage)
	if err == nil {
		a = w.addCheckpoint(r.Context(), string(body))
	}
	out.Header().Set("Content-Type", a.kind)
	if a.status == http.StatusServiceUnavailable {
		out.Header().Set("Retry-After", "60")
	}
	out.WriteHeader(a.status)
	_, _ = io.WriteString(out, a.body)
}

// addCheckpoint judges a request in the order of the specification.
func (w *Witness) addCheckpoint(ctx context.Context, body string) answer {
	r, err := parse(body)
	if err != nil {
		return refused(http.StatusBadRequest, "%v", err)
	}
	keys, known := w.logs[r.origin]
	if !known {
		return refused(http.StatusNotFound, "this witness knows no log of that origin; its operator names logs in front.toml")
	}
	signed, err := note.Open([]byte(r.note), keys)
	if err != nil {
		return refused(http.StatusForbidden, "no key of this log has signed the checkpoint")
	}
	if r.old > r.size || signed.Text != r.text { // an empty line in a checkpoint
		return refused(http.StatusBadRequest, "the old size is above that of the checkpoint, or that is none")
	}
	now, doubt := w.o.Clock.Now()
	switch {
	case w.off != "":
		return refused(http.StatusServiceUnavailable, "this witness was put back from a copy, and its operator has not let it go on yet")
	case doubt != agreed.None:
		return refused(http.StatusServiceUnavailable, "this witness doubts its clock; try again later")
	}
	return w.cosign(ctx, r, now.Unix())
}

// errTold ends a transaction in which nothing is to be changed.
var errTold = errors.New("nothing to store")

// cosign moves the row of the log to the checkpoint, if that leads on from what the row has, and signs then.
func (w *Witness) cosign(ctx context.Context, r request, unix int64) answer {
	var a answer
	err := w.o.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		last, found, err := tx.Witnessed.Last(r.origin)
		if err != nil {
			return err
		}
		if a = w.judge(r, last, found, unix); a.status != http.StatusOK {
			return errTold
		}
		moved, err := tx.Witnessed.Move(r.origin, last, store.Head{Size: r.size, Root: wire.Hash(r.root), Unix: unix})
		if err == nil && !moved {
			a, err = conflict(last.Size), errTold
		}
		return err
	})
	switch {
	case errors.Is(err, errTold):
		return a
	case err != nil:
		w.o.Limited.Error().Err(err).Str("origin", r.origin).Msg("a checkpoint of another log can't be kept, and is not cosigned")
		return refused(http.StatusServiceUnavailable, "the checkpoint can't be kept; try again later")
	}
	a.body = checkpoint.CosignText(r.text, checkpoint.WitnessName(w.o.Registry), w.o.Key, uint64(unix))
	return a
}

// judge compares a signed checkpoint with the last one of its log that was cosigned.
func (w *Witness) judge(r request, last store.Head, found bool, unix int64) answer {
	none, _ := tlog.TreeHash(0, nil) // has no error for 0
	root := none
	if found {
		root = tlog.Hash(last.Root)
	}
	switch {
	case r.old != last.Size:
		return conflict(last.Size)
	case r.size == last.Size && r.root != root:
		w.suspect(r, last)
		return conflict(last.Size)
	case !leads(r, root):
		w.suspect(r, last)
		return refused(http.StatusUnprocessableEntity, "the consistency proof does not lead from size %d to this checkpoint", r.old)
	case found && unix < last.Unix:
		return refused(http.StatusServiceUnavailable, "this witness has cosigned at a later time than its clock has now; try again later")
	}
	return answer{status: http.StatusOK, kind: plain}
}

// leads reports whether the proof leads from the tree of the old size to that of the checkpoint.
func leads(r request, root tlog.Hash) bool {
	if r.old == 0 || r.old == r.size {
		return len(r.proof) == 0 && (r.old != r.size || r.root == root)
	}
	return tlog.CheckTree(r.proof, int64(r.size), r.root, int64(r.old), root) == nil
}

// suspect logs what the log's own key has signed and does not fit: it may be proof that the log shows two histories.
func (w *Witness) suspect(r request, last store.Head) {
	w.o.Limited.Warn().Str("origin", r.origin).Uint64("cosigned", last.Size).Stringer("cosigned_root", tlog.Hash(last.Root)).
		Uint64("signed", r.size).Stringer("signed_root", r.root).Str("checkpoint", r.note).Msg("a log has signed a checkpoint that does not follow the one that was cosigned")
}
