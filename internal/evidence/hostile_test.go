package evidence

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"gatehouse/internal/sm3"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// TestFlips: no byte of a file can be changed.
func TestFlips(t *testing.T) {
	file, _, k := sample(t)
	trust := Trust{Root: public(k.root)}
	if _, err := Verify(file, trust); err != nil {
		t.Fatal(err)
	}
	for i := range file {
		for _, mask := range []byte{1 << (i % 8), 0xff} {
			file[i] ^= mask
			if _, err := Verify(file, trust); codeOf(err) == "" {
				t.Errorf("byte %d is changed by %02x: %v", i, mask, err)
			}
			file[i] ^= mask
		}
	}
}

// TestCutAndLonger: no byte can be missing at an end, and none be added.
func TestCutAndLonger(t *testing.T) {
	file, _, k := sample(t)
	trust := Trust{Root: public(k.root)}
	for n := range file {
		if _, err := Verify(file[:n], trust); codeOf(err) == "" {
			t.Errorf("%d of %d bytes: %v", n, len(file), err)
		}
		if _, err := Verify(file[n+1:], trust); codeOf(err) == "" {
			t.Errorf("the last %d of %d bytes: %v", len(file)-n-1, len(file), err)
		}
	}
	for name, more := range map[string][]byte{"a byte": {0}, "itself": file, "a comment": []byte("comment")} {
		if _, err := Verify(slices.Concat(file, more), trust); codeOf(err) != Repacked {
			t.Errorf("with %s behind it: %v", name, err)
		}
		if _, err := Verify(slices.Concat(more, file), trust); codeOf(err) == "" {
			t.Errorf("with %s before it: %v", name, err)
		}
	}
	if _, err := Verify(file[:len(file)-7], trust); codeOf(err) != Cut {
		t.Errorf("without its last bytes: %v", err)
	}
}

// packed is a zip as another program makes it.
func packed(t *testing.T, all []member, method uint16) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, m := range all {
		w := must[io.Writer](t)(z.CreateHeader(&zip.FileHeader{Name: m.name, Method: method}))
		must[int](t)(w.Write(m.data))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// assembled is a zip of these members as Write makes it, in that order.
func assembled(t *testing.T, all []member) []byte {
	t.Helper()
	var b bytes.Buffer
	for i := range all {
		all[i] = newMemberOf(all[i].name, all[i].data)
	}
	if err := writeZip(&b, all, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// newMemberOf is newMember also for entries.
func newMemberOf(name string, data []byte) member {
	m := newMember("", data)
	m.name = name
	return m
}

func membersOf(t *testing.T, file []byte) []member {
	t.Helper()
	return must[[]member](t)(readZip(file))
}

// TestRepacked: a file that somebody unpacked and packed again, put into another order, added to or
// took from is told, whoever did it; nothing is unpacked, so nothing can be too large or go astray.
func TestRepacked(t *testing.T) {
	file, l, k := sample(t)
	all := membersOf(t, file)
	other := membersOf(t, written(t, l.content(t, k, 2, 20)))
	bomb := member{name: nameEntries, data: make([]byte, 64<<20)}
	lie := slices.Clone(file)
	binary.LittleEndian.PutUint32(lie[22:], 1<<31)
	binary.LittleEndian.PutUint32(lie[18:], 1<<31)
	with := func(name string, data []byte) []member {
		return append(slices.Clone(all), member{name: name, data: data})
	}
	for name, c := range map[string]struct {
		file []byte
		want Code
	}{
		"packed again":              {packed(t, all, zip.Store), Repacked},
		"packed again, smaller":     {packed(t, all, zip.Deflate), Repacked},
		"a bomb":                    {packed(t, append(slices.Clone(all[:3]), bomb), zip.Deflate), Repacked},
		"a member larger than all":  {lie, Cut},
		"two members changed round": {assembled(t, slices.Concat(all[:3], all[4:5], all[3:4], all[5:])), Repacked},
		"a member twice":            {assembled(t, slices.Insert(slices.Clone(all), 3, all[3])), Repacked},
		"a member at the end again": {assembled(t, with(nameManifest, all[2].data)), Repacked},
		"a member more":             {assembled(t, with("notes.txt", nil)), Repacked},
		"a path upwards":            {assembled(t, with("../entries.cbor", nil)), Repacked},
		"a path from the root":      {assembled(t, with("/tmp/x", nil)), Repacked},
		"a path by backslash":       {assembled(t, with(`..\x`, nil)), Repacked},
		"a directory":               {assembled(t, with("a/", nil)), Repacked},
		"a member less":             {assembled(t, slices.Delete(slices.Clone(all), 0, 1)), Repacked},
		"no signature":              {assembled(t, slices.Clone(all[:len(all)-1])), Repacked},
		"another's entries":         {assembled(t, swapped(all, other, nameEntries)), Changed},
		"another's manifest":        {assembled(t, swapped(all, other, nameManifest)), Changed},
		"another's sums":            {assembled(t, swapped(all, other, nameSHA256)), Changed},
		"another's signature":       {assembled(t, swapped(all, other, nameSignature)), BadSignature},
		"two files as one":          {assembled(t, slices.Concat(all, other)), Repacked},
		"without what is optional":  {assembled(t, without(all, nameEarlier, nameEarlierProof)), Changed},
		"nothing":                   {nil, NotEvidence},
		"a text":                    {[]byte("PK is no zip"), NotEvidence},
		"an empty zip":              {directory(nil), NotEvidence},
	} {
		if _, err := Verify(c.file, Trust{Root: public(k.root)}); codeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := Verify(assembled(t, all), Trust{Root: public(k.root)}); err != nil {
		t.Errorf("put together again as it was: %v", err)
	}
}

// swapped are the members with one of another file's.
func swapped(all, other []member, name string) []member {
	all = slices.Clone(all)
	find := func(m member) bool { return m.name == name }
	all[slices.IndexFunc(all, find)] = other[slices.IndexFunc(other, find)]
	return all
}

func without(all []member, names ...string) []member {
	return slices.DeleteFunc(slices.Clone(all), func(m member) bool { return slices.Contains(names, m.name) })
}

// forged is the file with members changed, its sums made again and signed with a key.
func forged(t *testing.T, file []byte, l logged, s note.Signer, change map[string]func([]byte) []byte) []byte {
	t.Helper()
	all := membersOf(t, file)
	for i, m := range all {
		if f := change[m.name]; f != nil {
			all[i].data = f(slices.Clone(m.data))
		}
	}
	n := len(all)
	for i := range all[:n-3] {
		all[i] = newMemberOf(all[i].name, all[i].data)
	}
	all[n-3] = newMember(nameSM3, sums(all[:n-3], func(m member) []byte { sum := sm3.Sum(m.data); return sum[:] }))
	all[n-2] = newMember(nameSHA256, sums(all[:n-2], func(m member) []byte { return m.sum[:] }))
	text := SignedText(l.checkpoint(1).Origin(), all[n-2].data)
	all[n-1] = newMember(nameSignature, must[[]byte](t)(note.Sign(&note.Note{Text: text}, s)))
	return assembled(t, all)
}

// strangerTakes are the forgeries that a stranger's verifier may take: it looks at no times of entries, and
// reads numbers and what proves less than it could as anybody does.
var strangerTakes = []string{"nothing", "a pin that says nothing", "no pins", "a proof with zeros", "no earlier cosignature", "a time of no calendar"}

// TestForged: who makes sums and signature anew is told by the key, and who has the gateway's key
// by the checkpoint, the proof, or what contradicts itself. A stranger's verifier tells it, too.
func TestForged(t *testing.T) {
	file, l, k := sample(t)
	origin := l.checkpoint(1).Origin()
	own, strange := must[note.Signer](t)(newSigner(origin, k.gateway)), must[note.Signer](t)(newSigner(origin, keyOf(9)))
	replace := func(old, with string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Errorf("there is no %q to change", old)
			}
			return bytes.Replace(b, []byte(old), []byte(with), 1)
		}
	}
	trust, house := k.documents(t)
	entries := func(change func([]journaled.Stored) []journaled.Stored) func([]byte) []byte {
		return func(b []byte) (out []byte) {
			var all []journaled.Stored
			for len(b) > 0 {
				s, rest, err := journaled.Next(b)
				if err != nil {
					t.Fatal(err)
				}
				all, b = append(all, s), rest
			}
			for _, s := range change(all) {
				out = append(out, s.Encode()...)
			}
			return out
		}
	}
	for name, c := range map[string]struct {
		by     note.Signer
		member string
		change func([]byte) []byte
		want   Code
	}{
		"nothing":                   {own, "", nil, ""},
		"by a stranger":             {strange, "", nil, BadSignature},
		"a counter":                 {own, nameEntries, entries(func(all []journaled.Stored) []journaled.Stored { all[7].Header[4] ^= 1; return all }), BadProof},
		"two entries changed round": {own, nameEntries, entries(func(all []journaled.Stored) []journaled.Stored { all[8], all[9] = all[9], all[8]; return all }), BadProof},
		"an entry less":             {own, nameEntries, entries(func(all []journaled.Stored) []journaled.Stored { return all[1:] }), BadManifest},
		"an entry not whole":        {own, nameEntries, func(b []byte) []byte { return b[:len(b)-1] }, BadEntries},
		"an entry of another form":  {own, nameEntries, func(b []byte) []byte { return append([]byte{0xc0}, b...) }, BadEntries},
		"another number":            {own, nameManifest, replace(`"first": 5`, `"first": 500`), BadProof},
		"other counts":              {own, nameManifest, replace(`"named": `, `"named": 1`), BadManifest},
		"another gateway":           {own, nameManifest, replace("lane-7/gw1", "lane-7/gw2"), BadAuthority},
		"another registry":          {own, nameManifest, replace(`"panyu"`, `"tianhe"`), BadAuthority},
		"a newer format":            {own, nameManifest, replace(Format, "gatehouse evidence 2"), Newer},
		"a field more":              {own, nameManifest, replace(`"registry"`, `"note": "x", "registry"`), BadManifest},
		"a field twice":             {own, nameManifest, replace(`"registry"`, `"registry": "x", "registry"`), BadManifest},
		"a space more":              {own, nameManifest, replace(`{`, `{ `), BadManifest},
		"another key in the policy": {own, namePolicy, replace("log ", "log x"), BadPolicy},
		"a witness less":            {own, namePolicy, func(b []byte) []byte { return append(b[:bytes.IndexByte(b, '\n')+1], "quorum none\n"...) }, BadPolicy},
		"no trust":                  {own, nameTrust, func([]byte) []byte { return house }, BadAuthority},
		"no house":                  {own, nameHouse, func([]byte) []byte { return trust }, BadAuthority},
		"another size":              {own, nameCheckpoint, replace("\n", "\n1"), BadCheckpoint},
		"no checkpoint":             {own, nameCheckpoint, func([]byte) []byte { return nil }, BadCheckpoint},
		"another proof":             {own, nameProof, replace("\n5 35 ", "\n5 34 "), BadProof},
		"a hash more in the proof":  {own, nameProof, func(b []byte) []byte { return append(b, strings.Repeat("A", 43)+"=\n"...) }, BadProof},
		"a proof with zeros":        {own, nameProof, replace("\n5 ", "\n05 "), BadProof},
		"no earlier cosignature":    {own, nameEarlier, func([]byte) []byte { return []byte(k.signAlone(t, l.checkpoint(31))) }, BadCheckpoint},
		"an earlier proof of less":  {own, nameEarlierProof, func([]byte) []byte { return encodeProof(l.span(t, 5, 30, 31)) }, BadCheckpoint},
		"a time of no calendar":     {own, nameEarlier, func([]byte) []byte { return []byte(k.cosignAt(l.checkpoint(31), 1<<40)) }, BadCheckpoint},
		"a pin that says nothing":   {own, nameClock, replace(`"within_ms": 20`, `"within_ms": 9223372036854775807`), BadClock},
		"no pins":                   {own, nameClock, func([]byte) []byte { return []byte("{}") }, BadClock},
	} {
		bad := forged(t, file, l, c.by, map[string]func([]byte) []byte{c.member: c.change})
		if r, err := Verify(bad, Trust{Root: public(k.root)}); codeOf(err) != c.want || err != nil && !reflect.DeepEqual(r, Report{}) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if testing.Short() || slices.Contains(strangerTakes, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if says, taken := stranger(t, bad); taken {
				t.Errorf("the stranger takes it: %s", says)
			}
		})
	}
}

// TestFalseHistory: who has the gateway's key but not the witness's can write another log, and then
// the witness's word is missing for it.
func TestFalseHistory(t *testing.T) {
	l, k := smallLog(t), townKeys()
	c := l.content(t, k, 5, 35)
	lie := logged{l.epoch, slices.Clone(l.entries), nil}
	h := must[wire.Header](t)(wire.DecodeHeader(lie.entries[10].Header))
	h.Wall += 3_600_000
	lie.entries[10].Header = must[[]byte](t)(h.Encode())
	for _, s := range lie.entries {
		lie.leaves = append(lie.leaves, leafOf(s))
	}
	n := uint64(len(lie.leaves))
	lied := lie.content(t, k, 5, 35)
	lied.Head.Note = k.signAlone(t, lie.checkpoint(n))
	r, err := Verify(written(t, lied), Trust{Root: public(k.root)})
	if err != nil || r.Cosigned != 0 || r.Whole() {
		t.Errorf("cosigned %d, whole %t, %v", r.Cosigned, r.Whole(), err)
	}
	lied.Head.Note, lied.Cosigned = k.signAlone(t, lie.checkpoint(n)), &Proven{c.Head.Note, c.Head.Span}
	if err := Write(new(bytes.Buffer), lied); err == nil {
		t.Error("a false log with a true cosignature is written")
	}
}
