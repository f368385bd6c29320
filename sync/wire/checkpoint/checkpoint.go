// Package checkpoint has the size and root of a gateway's journal as both ends sign it:
// the standard's texts and notes, which public tools verify. Its functions are safe for
// concurrent use.
package checkpoint

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gatehouse/sync/wire"
)

// Checkpoint is the size and root of a gateway's journal, as both ends sign it:
// the text of a C2SP tlog-checkpoint, in a signed note.
type Checkpoint struct {
	Address string // building/gateway
	Epoch   uint64
	Size    uint64
	Root    wire.Hash
}

// Origin names the log: each epoch of a journal is one. It is also the name of
// the log's key.
func (c Checkpoint) Origin() string { return fmt.Sprintf("gatehouse/%s/%016x", c.Address, c.Epoch) }

// Text is what the log signs: origin, size, root.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin(), c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// Sign signs the checkpoint as the log does: a note signature of Ed25519.
func (c Checkpoint) Sign(key ed25519.PrivateKey) (s wire.Signature) {
	return wire.Signature(ed25519.Sign(key, []byte(c.Text())))
}

// Verify reports whether the log's key signed the checkpoint.
func (c Checkpoint) Verify(public ed25519.PublicKey, s wire.Signature) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, []byte(c.Text()), s[:])
}

// Cosign signs the checkpoint as a witness does, C2SP tlog-cosignature v1: it
// has seen this tree at a time (unix s), and no other one of this size or less
// that does not lead to it.
func (c Checkpoint) Cosign(key ed25519.PrivateKey, time uint64) wire.Signature {
	return wire.Signature(ed25519.Sign(key, cosigned(c.Text(), time)))
}

// VerifyCosignature reports whether the witness's key cosigned the checkpoint at
// that time.
func (c Checkpoint) VerifyCosignature(public ed25519.PublicKey, time uint64, s wire.Signature) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, cosigned(c.Text(), time), s[:])
}

func cosigned(text string, time uint64) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", time, text)
}

// Witness verifies the cosignatures of a witness's key in notes: it is a Verifier of
// golang.org/x/mod/sumdb/note, which knows only keys of logs.
type Witness struct {
	name   string
	public ed25519.PublicKey
}

// NewWitness returns the verifier of a key of that length.
func NewWitness(name string, public ed25519.PublicKey) Witness { return Witness{name, public} }

// Name returns the name of the key.
func (w Witness) Name() string { return w.name }

// KeyHash returns the id of the key.
func (w Witness) KeyHash() uint32 { return keyID(w.name, algWitness, w.public) }

// Verify reports whether signature, a time and what Cosign makes, is the witness's over text.
func (w Witness) Verify(text, signature []byte) bool {
	return len(signature) == 8+ed25519.SignatureSize &&
		ed25519.Verify(w.public, cosigned(string(text), binary.BigEndian.Uint64(signature)), signature[8:])
}

// CosignText signs a checkpoint of any log as Cosign does one of a gateway: text is that of its note, name the
// witness's. It returns the line that the note gets. The caller has verified the log's signature and that the tree
// leads on from the one that this witness has cosigned before.
func CosignText(text, name string, key ed25519.PrivateKey, time uint64) string {
	public := key.Public().(ed25519.PublicKey)
	return noteLine(name, keyID(name, algWitness, public), append(binary.BigEndian.AppendUint64(nil, time), ed25519.Sign(key, cosigned(text, time))...))
}

// WitnessName is the name of a registry's witness key in notes.
func WitnessName(registry string) string { return "gatehouse/" + registry }

// Algorithms of keys in signed notes.
const (
	algLog     = 1 // Ed25519
	algWitness = 4 // Ed25519, cosignature with time
)

// LogVKey and WitnessVKey return a key as verifiers of signed notes take it:
// name, key id, algorithm and key.
func LogVKey(origin string, public ed25519.PublicKey) string { return vkey(origin, algLog, public) }

// WitnessVKey is LogVKey for a witness.
func WitnessVKey(name string, public ed25519.PublicKey) string {
	return vkey(name, algWitness, public)
}

func vkey(name string, alg byte, public ed25519.PublicKey) string {
	return fmt.Sprintf("%s+%08x+%s", name, keyID(name, alg, public), base64.StdEncoding.EncodeToString(append([]byte{alg}, public...)))
}

func keyID(name string, alg byte, public ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write(append([]byte(name), '\n', alg))
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// Cosignature is a witness's signature with what a note shows of it.
type Cosignature struct {
	Name   string // WitnessName
	Public ed25519.PublicKey
	Time   uint64 // unix s
	wire.Signature
}

// Note returns the signed note (C2SP signed-note) with the signatures of the
// log and of a witness, as public verifiers open it.
func (c Checkpoint) Note(log ed25519.PublicKey, s wire.Signature, w Cosignature) string {
	return c.Text() + "\n" +
		noteLine(c.Origin(), keyID(c.Origin(), algLog, log), s[:]) +
		noteLine(w.Name, keyID(w.Name, algWitness, w.Public), append(binary.BigEndian.AppendUint64(nil, w.Time), w.Signature[:]...))
}

// Signed returns the signed note with the signature of the log alone.
func (c Checkpoint) Signed(log ed25519.PublicKey, s wire.Signature) string {
	return c.Text() + "\n" + noteLine(c.Origin(), keyID(c.Origin(), algLog, log), s[:])
}

const noteDash = "\u2014 "

func noteLine(name string, id uint32, signature []byte) string {
	b := append(binary.BigEndian.AppendUint32(nil, id), signature...)
	return noteDash + name + " " + base64.StdEncoding.EncodeToString(b) + "\n"
}

var errNote = errors.New("no signed checkpoint of this gateway")

// ParseText reads what Text makes for the gateway of that address, and nothing else.
func ParseText(text, address string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return c, errNote
	}
	c.Address = address
	origin, size, root := lines[0], lines[1], lines[2]
	c.Epoch, err = strconv.ParseUint(origin[max(0, len(origin)-16):], 16, 64)
	if err == nil {
		c.Size, err = strconv.ParseUint(size, 10, 64)
	}
	hash, rootErr := base64.StdEncoding.DecodeString(root)
	if err = errors.Join(err, rootErr); err != nil || len(hash) != len(c.Root) {
		return c, errNote
	}
	if c.Root = wire.Hash(hash); c.Text() != text {
		return c, errNote
	}
	return c, nil
}

// ParseNote reads what Note makes: the checkpoint of a gateway and the
// cosignature of one of the witness keys, which is verified.
func ParseNote(note, address, witness string, keys []wire.Key) (c Checkpoint, w Cosignature, err error) {
	text, signatures, _ := strings.Cut(note, "\n\n")
	if c, err = ParseText(text+"\n", address); err != nil {
		return c, w, err
	}
	for line := range strings.Lines(signatures) {
		encoded, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), noteDash+witness+" ")
		b, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(b) != 4+8+len(w.Signature) {
			continue
		}
		w = Cosignature{Name: witness, Time: binary.BigEndian.Uint64(b[4:]), Signature: wire.Signature(b[12:])}
		for _, k := range keys {
			if keyID(witness, algWitness, k.Public) == binary.BigEndian.Uint32(b) && c.VerifyCosignature(k.Public, w.Time, w.Signature) {
				w.Public = k.Public
				return c, w, nil
			}
		}
	}
	return c, Cosignature{}, fmt.Errorf("%w: no cosignature of a trusted witness", errNote)
}
