package evidence

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/sync/wire"
)

// python is a Python 3, which nothing but this test wants.
func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err == nil {
		err = exec.Command(path, "-c", "import sys; sys.exit(sys.version_info < (3, 8))").Run()
	}
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), "python") {
			t.Fatal("python3 is required: ", err)
		}
		t.Skip("without python3 the stranger's verifier was not tried")
	}
	return path
}

// stranger asks the second verifier, or a program in Python that uses it, which gets root and file as arguments.
func stranger(t *testing.T, file []byte, program ...string) (says string, good bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.zip")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if program == nil {
		program = []string{"stranger.py"}
	}
	cmd := exec.Command(python(t), append(program, fmt.Sprintf("%x", public(townKeys().root)), path)...)
	cmd.Dir = "testdata"
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && strings.HasPrefix(string(exit.Stderr), "refused: ") {
		return strings.TrimSpace(string(exit.Stderr)), false
	}
	if err != nil {
		t.Fatalf("stranger.py: %v\n%s", err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), true
}

// TestStrangerAgrees: a verifier that somebody wrote from docs/evidence.md alone, in another
// language, says of each good file what ours says, and refuses each bad one.
func TestStrangerAgrees(t *testing.T) {
	python(t)
	file, l, k := sample(t)
	registry := l.content(t, k, 0, uint64(len(l.leaves)))
	registry.Key = k.witness
	alone := l.content(t, k, 7, 8)
	alone.Head.Note = k.signAlone(t, l.checkpoint(uint64(len(l.leaves))))
	for name, good := range map[string][]byte{"sample": file, "whole log, by the registry": written(t, registry), "one entry, no witness": written(t, alone)} {
		r := must[Report](t)(Verify(good, Trust{Root: public(k.root)}))
		at := "None"
		if !r.CosignedAt.IsZero() {
			at = strconv.FormatInt(r.CosignedAt.Unix(), 10)
		}
		want := fmt.Sprintf("entries %d named %d cosigned %d at %s", r.Manifest.Counts.Entries, r.Manifest.Counts.Named, r.Cosigned, at)
		if says, _ := stranger(t, good); says != want {
			t.Errorf("%s: the stranger says %q, we %q", name, says, want)
		}
	}
	all := membersOf(t, file)
	other := membersOf(t, written(t, l.content(t, k, 2, 20)))
	bomb := append(slices.Clone(all[:3]), slices.Concat([]member{{name: nameEntries, data: make([]byte, 64<<20)}}, all[4:])...)
	for name, bad := range map[string][]byte{"cut": file[:len(file)-1], "longer": slices.Concat(file, []byte{0}), "two as one": slices.Concat(file, file), "packed again": packed(t, all, 0), "a bomb": packed(t, bomb, zip.Deflate), "a path": assembled(t, append(slices.Clone(all), member{name: "../x"})),
		"another order":     assembled(t, slices.Concat(all[1:2], all[:1], all[2:])),
		"another's entries": assembled(t, swapped(all, other, nameEntries)), "another's signature": assembled(t, swapped(all, other, nameSignature))} {
		if says, taken := stranger(t, bad); taken {
			t.Errorf("%s: the stranger takes it: %s", name, says)
		}
	}
}

// flips has the second verifier judge a file with each so many-th byte changed in turn.
const flips = `
import sys
import stranger
step, trusted, file = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), bytearray(open(sys.argv[3], "rb").read())
tried, taken = 0, []
for i in range(0, len(file), step):
    file[i] ^= 1 << i % 8
    tried += 1
    try:
        stranger.verify(bytes(file), trusted)
        taken.append(i)
    except Exception:
        pass
    file[i] ^= 1 << i % 8
print("tried", tried, "taken", taken)`

// TestStrangerFlips: nor does the stranger's verifier miss a changed byte.
func TestStrangerFlips(t *testing.T) {
	file, _, _ := sample(t)
	step := 1
	if testing.Short() {
		step = 61
	}
	want := fmt.Sprintf("tried %d taken []", (len(file)+step-1)/step)
	if says, _ := stranger(t, file, "-c", flips, strconv.Itoa(step)); says != want {
		t.Errorf("%q, want %q", says, want)
	}
}

// TestStrangerIsShort: an expert reads the second verifier at one sitting.
func TestStrangerIsShort(t *testing.T) {
	lines := strings.Split(string(must[[]byte](t)(os.ReadFile("testdata/stranger.py"))), "\n")
	if len(lines) > 151 { // the last one is empty
		t.Errorf("%d lines", len(lines)-1)
	}
	for n, line := range lines {
		if len(line) > 180 {
			t.Errorf("line %d has %d bytes", n+1, len(line))
		}
	}
}

// TestStockTools: what the file has for public tools they take: the checkpoints with both
// signatures, by keys of tlog-policy; the signature of the sums; sums as sha256sum checks them.
func TestStockTools(t *testing.T) {
	file, l, _ := sample(t)
	has := map[string][]byte{}
	for _, m := range membersOf(t, file) {
		has[m.name] = m.data
	}
	log, witness := stockKeys(t, string(has[namePolicy]))
	for name, signatures := range map[string]int{nameCheckpoint: 1, nameEarlier: 2, nameSignature: 1} {
		n, err := note.Open(has[name], note.VerifierList(log, witness))
		if err != nil || len(n.Sigs) != signatures {
			t.Errorf("%s: %v, %d signatures", name, err, len(n.Sigs))
			continue
		}
		if at, err := formats.CoSigV1Timestamp(n.Sigs[len(n.Sigs)-1]); name == nameEarlier && (err != nil || at.Unix() != cosignedAt) {
			t.Errorf("cosigned at %v, %v", at, err)
		}
	}
	if n, err := note.Open(has[nameSignature], note.VerifierList(log)); err != nil || n.Text != fmt.Sprintf("gatehouse/evidence@v1\n%s\n%s\n", l.checkpoint(1).Origin(), base64Of(has[nameSHA256])) {
		t.Errorf("%v, signed is %q", err, n.Text)
	}
	dir := t.TempDir()
	for name, data := range has {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if path, err := exec.LookPath("sha256sum"); err == nil {
		cmd := exec.Command(path, "--check", "--strict", "--quiet", nameSHA256)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("sha256sum: %v\n%s", err, out)
		}
	}
}

func base64Of(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// stockKeys reads log and witness of a policy with the verifiers that everybody uses.
func stockKeys(t *testing.T, policy string) (log note.Verifier, witness note.Verifier) {
	t.Helper()
	for line := range strings.Lines(policy) {
		switch words := strings.Fields(line); words[0] {
		case "log":
			log = must[note.Verifier](t)(note.NewVerifier(words[1]))
		case "witness":
			witness = must[note.Verifier](t)(formats.NewVerifierForCosignatureV1(words[2]))
		}
	}
	return log, witness
}

// TestProofs: each entry's tlog-proof stands by itself: tlog takes it, with the stock verifiers'
// word for the checkpoint; and it tells nobody's card.
func TestProofs(t *testing.T) {
	file, l, k := sample(t)
	r := must[Report](t)(Verify(file, Trust{Root: public(k.root)}))
	for i := uint64(5); i < 35; i++ {
		text := must[string](t)(r.Proof(i))
		head, signed, ok := strings.Cut(text, "\n\n")
		lines := strings.Split(head, "\n")
		if !ok || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "extra ") || lines[2] != fmt.Sprintf("index %d", i) {
			t.Fatalf("entry %d: %s", i, text)
		}
		leaf := must[[]byte](t)(base64.StdEncoding.DecodeString(lines[1][6:]))
		if string(leaf) != string(l.entries[i].Leaf()) {
			t.Errorf("entry %d: its extra data is another leaf record", i)
		}
		var path tlog.RecordProof
		for _, line := range lines[3:] {
			path = append(path, tlog.Hash(must[[]byte](t)(base64.StdEncoding.DecodeString(line))))
		}
		n := must[*note.Note](t)(note.Open([]byte(signed), note.VerifierList(stockVerifiers(t, file)...)))
		tree := must[tlog.Tree](t)(parseTree(n.Text))
		if err := tlog.CheckRecord(path, tree.N, tree.Hash, int64(i), tlog.RecordHash(leaf)); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
		if cosigned := len(n.Sigs) == 2; cosigned != (i < r.Cosigned) {
			t.Errorf("entry %d: cosigned is %t", i, cosigned)
		}
	}
	for _, i := range []uint64{0, 4, 35} {
		if _, err := r.Proof(i); err == nil {
			t.Errorf("entry %d is proved", i)
		}
	}
}

func stockVerifiers(t *testing.T, file []byte) []note.Verifier {
	for _, m := range membersOf(t, file) {
		if m.name == namePolicy {
			log, witness := stockKeys(t, string(m.data))
			return []note.Verifier{log, witness}
		}
	}
	return nil
}

// parseTree reads size and root of a checkpoint.
func parseTree(text string) (tree tlog.Tree, err error) {
	lines := strings.Split(text, "\n")
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err == nil {
		err = tree.Hash.UnmarshalJSON([]byte(`"` + lines[2] + `"`))
	}
	return tree, err
}

// TestCDDL: the grammar beside the entries has the names and numbers of ours.
func TestCDDL(t *testing.T) {
	whole := must[[]byte](t)(os.ReadFile("../../sync/wire/gatehouse.cddl"))
	for key := 1; key <= 14; key++ {
		line := fmt.Sprintf("\n  %d => ", key)
		optional := fmt.Sprintf("\n  ? %d => ", key)
		for _, s := range []string{line, optional} {
			if ours := strings.Contains(section(string(whole), "header = {"), s); ours != strings.Contains(section(string(cddl), "header = {"), s) {
				t.Errorf("key %d of a header", key)
			}
		}
	}
	for kind, name := range map[wire.Kind]string{wire.KindAccess: "access", wire.KindOpened: "opened", wire.KindSecured: "secured", wire.KindGap: "gap", wire.KindStop: "stop", wire.KindClock: "clock"} {
		if !strings.Contains(string(cddl), fmt.Sprintf("%d %s", kind, name)) {
			t.Errorf("kind %d is not named %s", kind, name)
		}
	}
}

func section(text, from string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, "}")
	return text
}

// TestSamples: files that were made once are taken for ever, by both.
func TestSamples(t *testing.T) {
	for name, c := range map[string]struct {
		sum   string
		whole bool
	}{"whole.zip": {"e4b201dbd0a321df9aca52fa02b8a00f62cfbd4fe838606d9e3cedba1652e215", true}, "sample.zip": {"7973c63fc4c357099b43f1ee4deef050ae7ef50a48882a8680fa9f9d47a0426f", false}} {
		file := must[[]byte](t)(os.ReadFile(filepath.Join("testdata", name)))
		r, err := Verify(file, Trust{Root: public(townKeys().root)})
		if err != nil || r.Whole() != c.whole || fmt.Sprintf("%x", r.SHA256) != c.sum || r.Manifest.Counts != (Counts{30, 3, 5}) {
			t.Errorf("%s: whole %t, sum %x, %+v, %v", name, r.Whole(), r.SHA256, r.Manifest.Counts, err)
		}
		if says, good := stranger(t, file); !good || !strings.HasPrefix(says, "entries 30 named 3 cosigned ") {
			t.Errorf("%s: the stranger says %q", name, says)
		}
	}
}

// TestPage: docs/evidence.md has the members, the codes, and the bytes of the sample.
func TestPage(t *testing.T) {
	page := string(must[[]byte](t)(os.ReadFile("../../docs/evidence.md")))
	var members strings.Builder
	for _, name := range names {
		if members.WriteString("\n" + name); slices.Contains(optional[:], name) {
			members.WriteString(" *")
		}
	}
	if !strings.Contains(page, "```members"+members.String()+"\n```") {
		t.Error("it has other members, or another order")
	}
	for _, m := range regexp.MustCompile(`Code = "(\w+)"`).FindAllStringSubmatch(string(must[[]byte](t)(os.ReadFile("refusal.go"))), -1) {
		if !strings.Contains(page, "\n| `"+m[1]+"` | ") {
			t.Errorf("code %s is not there", m[1])
		}
	}
	file := must[[]byte](t)(os.ReadFile("testdata/whole.zip"))
	if want := fmt.Sprintf("\n% x\n", file[:14]); !strings.Contains(page, want) {
		t.Errorf("the sample begins with %s", want)
	}
	for _, m := range membersOf(t, file) {
		if m.name == namePolicy && !strings.Contains(page, "```\n"+string(m.data)+"```\n") {
			t.Errorf("the sample's policy is\n%s", m.data)
		}
	}
	for _, line := range []string{signedLine, proofLine, Format} {
		if !strings.Contains(page, line) {
			t.Errorf("there is no %q", line)
		}
	}
}
