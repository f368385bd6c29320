package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Checkpoint is the size and root of a gateway's journal, as both ends sign it:
// the text of a C2SP tlog-checkpoint, in a signed note.
type Checkpoint struct {
	Address string // building/gateway
	Epoch   uint64
	Size    uint64
	Root    Hash
}

// Text is what is signed: origin, size, root.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("gatehouse/%s/%016x\n%d\n%s\n", c.Address, c.Epoch, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// Sign signs the checkpoint as a note signature does.
func (c Checkpoint) Sign(key ed25519.PrivateKey) (s Signature) {
	return Signature(ed25519.Sign(key, []byte(c.Text())))
}

// Verify reports whether the key signed the checkpoint.
func (c Checkpoint) Verify(public ed25519.PublicKey, s Signature) bool {
	return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, []byte(c.Text()), s[:])
}

// NoteSignature is one signature of a note with the name it is shown under.
type NoteSignature struct {
	Name   string // without space and "+"
	Public ed25519.PublicKey
	Signature
}

// Note returns the signed note (C2SP signed-note, Ed25519), which the
// sumdb/note package and others open.
func (c Checkpoint) Note(signatures ...NoteSignature) string {
	note := c.Text() + "\n"
	for _, s := range signatures {
		h := sha256.New()
		h.Write([]byte(s.Name + "\n\x01"))
		h.Write(s.Public)
		b := binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(h.Sum(nil)))
		note += fmt.Sprintf("— %s %s\n", s.Name, base64.StdEncoding.EncodeToString(append(b, s.Signature[:]...)))
	}
	return note
}
