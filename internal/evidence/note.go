package evidence

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// signedLine begins what is signed of a file: no checkpoint and no cosignature begins so.
const signedLine = "gatehouse/evidence@v1"

// SignedText is what the file's signature is over: the log, and the SHA-256 of the sums.
func SignedText(origin string, sums []byte) string {
	sum := sha256.Sum256(sums)
	return fmt.Sprintf("%s\n%s\n%s\n", signedLine, origin, base64.StdEncoding.EncodeToString(sum[:]))
}

// IsSigned reports whether text is what is signed of an evidence file of the log of that origin, and
// nothing else: no checkpoint and no cosignature reads like it.
func IsSigned(text []byte, origin string) bool {
	sum, ok := strings.CutPrefix(string(text), signedLine+"\n"+origin+"\n")
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(sum, "\n"))
	return ok && err == nil && len(raw) == sha256.Size && strings.HasSuffix(sum, "\n") && strings.Count(sum, "\n") == 1
}

// signer signs notes with a key under a name.
type signer struct {
	note.Verifier
	key crypto.Signer
}

func newSigner(name string, key crypto.Signer) (note.Signer, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a signer of %T: only Ed25519 signs an evidence file", key.Public())
	}
	v, err := note.NewVerifier(checkpoint.LogVKey(name, public))
	return signer{v, key}, err
}

// Sign implements note.Signer.
func (s signer) Sign(msg []byte) ([]byte, error) { return s.key.Sign(nil, msg, crypto.Hash(0)) }

// maxTime is the latest time that a cosignature may have, unix s: the last that RFC 3339 can write.
const maxTime = 253_402_300_799

// signedTree is a checkpoint that somebody who is trusted has signed.
type signedTree struct {
	checkpoint.Checkpoint
	byLog      bool
	cosignedAt time.Time // zero: no witness did
}

// openCheckpoint reads a checkpoint of the log and judges its signatures.
func (a authority) openCheckpoint(text []byte, member string) (signedTree, error) {
	var t signedTree
	n, err := note.Open(text, note.VerifierList(a.verifiers...))
	if err != nil {
		return t, refuse(BadCheckpoint, member, err)
	}
	if t.Checkpoint, err = checkpoint.ParseText(n.Text, a.address); err != nil || t.Epoch != uint64(a.epoch) {
		return t, refuse(BadCheckpoint, member, fmt.Errorf("it is not of log %s", a.origin()))
	}
	for _, s := range n.Sigs {
		if s.Name == a.origin() {
			t.byLog = true
			continue
		}
		raw, _ := base64.StdEncoding.DecodeString(s.Base64) // Open has read it, and Verify seen that it has a time
		at := binary.BigEndian.Uint64(raw[4:])
		if at > maxTime {
			return t, refuse(BadCheckpoint, member, errors.New("its cosignature is of no time"))
		}
		t.cosignedAt = time.Unix(int64(at), 0)
	}
	return t, nil
}

// openSignature returns who signed the sums.
func (a authority) openSignature(text, sums []byte) (SignedBy, error) {
	verifiers := make([]note.Verifier, 0, 1+len(a.witnesses))
	for _, key := range a.witnesses {
		v, err := note.NewVerifier(checkpoint.LogVKey(a.witnessName(), key.Public))
		if err != nil {
			return "", refuse(BadSignature, nameSignature, err)
		}
		verifiers = append(verifiers, v)
	}
	n, err := note.Open(text, note.VerifierList(append(verifiers, a.log)...))
	if err == nil && n.Text != SignedText(a.origin(), sums) {
		err = errors.New("it is over something else")
	}
	if err != nil {
		return "", refuse(BadSignature, nameSignature, err)
	}
	if n.Sigs[0].Name == a.origin() {
		return ByGateway, nil
	}
	return ByWitness, nil
}

// policy returns the keys as C2SP tlog-policy has them: this log, and any of the registry's
// witnesses, where it has some.
func policy(origin string, log ed25519.PublicKey, witnessName string, witnesses []wire.Key) []byte {
	b := fmt.Appendf(nil, "log %s\n", checkpoint.LogVKey(origin, log))
	quorum := "none"
	var all []string
	for _, k := range witnesses {
		name := fmt.Sprintf("witness-%x", wire.IDOf(k.Public))
		all = append(all, name)
		b = fmt.Appendf(b, "witness %s %s\n", name, checkpoint.WitnessVKey(witnessName, k.Public))
	}
	if len(all) > 0 {
		quorum = "witnesses"
		b = fmt.Appendf(b, "group %s any %s\n", quorum, strings.Join(all, " "))
	}
	return fmt.Appendf(b, "quorum %s\n", quorum)
}

// logOfPolicy returns the log's key, for a house that has nobody else who says it.
func logOfPolicy(b []byte, origin string) (ed25519.PublicKey, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	_, encoded, _ := strings.Cut(strings.TrimPrefix(line, "log "+origin+"+"), "+")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) != 1+ed25519.PublicKeySize {
		return nil, refuse(BadPolicy, namePolicy, err)
	}
	return key[1:], nil
}

// proofLine begins a range proof.
const proofLine = "gatehouse/range-proof@v1"

// encodeProof writes a proof: its format, the first index, the one after the last and the size of
// the tree, then the hashes to the left and to the right, one a line.
func encodeProof(s tree.Span) []byte {
	b := fmt.Appendf(nil, "%s\n%d %d %d\n", proofLine, s.Left.Size(), s.End, s.Size)
	left := s.Left.Encode()[8:]
	for ; len(left) > 0; left = left[tlog.HashSize:] {
		b = append(base64.StdEncoding.AppendEncode(b, left[:tlog.HashSize]), '\n')
	}
	for _, h := range s.Right {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return b
}

// readProof reads what encodeProof writes, and nothing else.
func readProof(b []byte, member string) (s tree.Span, err error) {
	fail := func(cause error) (tree.Span, error) { return tree.Span{}, refuse(BadProof, member, cause) }
	lines := strings.Split(string(b), "\n")
	if len(lines) < 3 || len(lines) > 200 {
		return fail(fmt.Errorf("%d lines", len(lines)))
	}
	var first uint64
	if _, err := fmt.Sscanf(lines[1], "%d %d %d", &first, &s.End, &s.Size); err != nil {
		return fail(err)
	}
	left := binary.BigEndian.AppendUint64(nil, first)
	for i, line := range lines[2 : len(lines)-1] {
		h, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return fail(fmt.Errorf("line %d: no hash", 3+i))
		}
		if i < bits.OnesCount64(first) {
			left = append(left, h...)
		} else {
			s.Right = append(s.Right, tlog.Hash(h))
		}
	}
	if s.Left, err = tree.Decode(left); err != nil {
		return fail(err)
	}
	if string(encodeProof(s)) != string(b) {
		return fail(errOtherwise)
	}
	return s, nil
}
