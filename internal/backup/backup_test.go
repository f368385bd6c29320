package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/backup/recovery"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

var madeAt = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sealed is a backup of a small house, with its code.
func sealed(t testing.TB) (data []byte, code recovery.Code, key *Key, c Content) {
	t.Helper()
	code = recovery.New()
	key, err := NewKey(code, madeAt)
	must(t, err)
	c = Content{Site: []byte("building = \"lane-7\"\n"), Keys: map[string][]byte{"building.key": []byte("the building's key")}, Grants: map[string][]byte{"labels.json": []byte(`{"x":"3B Zhang"}`)},
		Manifest: []byte("manifest"), Buckets: [][]byte{[]byte("bucket")}, Over: []wire.ID{{1}}}
	data, err = Seal(key, Header{Building: "lane-7", Gateway: "gw1", Made: madeAt, Software: "gatehouse <test> & more"}, c)
	must(t, err)
	return data, code, key, c
}

// TestSeal: the code opens what was sealed, and so does the gateway's own key; nothing of
// what is in it can be read without.
func TestSeal(t *testing.T) {
	data, code, key, want := sealed(t)
	f, err := Decode(data)
	must(t, err)
	if f.Building != "lane-7" || f.Gateway != "gw1" || !f.Made.Equal(madeAt) || f.Name() != "gatehouse-lane-7-gw1.backup" {
		t.Errorf("%+v", f.Header)
	}
	got, opened, err := f.OpenByCode(code)
	must(t, err)
	if !reflect.DeepEqual(got, want) || !bytes.Equal(opened.Secret, key.Secret) {
		t.Errorf("%+v", got)
	}
	if own, err := f.Open(key); err != nil || !reflect.DeepEqual(own, want) {
		t.Errorf("by its own key: %v", err)
	}
	for _, secret := range []string{"Zhang", "labels", "building.key", "manifest", code.String(), string(key.Secret)} {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%q stands in it in clear", secret)
		}
	}
	if _, _, err := f.OpenByCode(recovery.New()); !errors.Is(err, ErrCode) {
		t.Errorf("another code: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", key, key, key, key); strings.Count(s, "backup key") != 4 {
		t.Errorf("a key prints %q", s)
	}
}

// TestEveryTruncation: a backup of which anything is missing is told as one that was only
// written in part, before a code is asked for.
func TestEveryTruncation(t *testing.T) {
	data, _, _, _ := sealed(t)
	for n := range data {
		if _, err := Decode(data[:n]); !errors.Is(err, ErrCut) {
			t.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
	}
}

// TestEveryByte: no byte can be another one. What stands in clear is bound to the rest: a
// backup can't be passed off as another gateway's, or a newer one.
func TestEveryByte(t *testing.T) {
	data, code, _, _ := sealed(t)
	for i := range data {
		wrong := bytes.Clone(data)
		wrong[i] ^= 1
		if _, err := Decode(wrong); err == nil {
			t.Fatalf("byte %d is another one, and nobody says that it is damaged", i)
		}
	}
	if _, err := Decode(append(bytes.Clone(data), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: %v", err)
	}
	f, err := Decode(data)
	must(t, err)
	f.Made = f.Made.AddDate(0, 1, 0)
	head, err := f.Header.encode(magic) // with a sum that is right
	must(t, err)
	f, err = Decode(append(head, f.sealed...))
	must(t, err)
	if _, _, err := f.OpenByCode(code); !errors.Is(err, ErrDamaged) {
		t.Errorf("passed off as a newer one: %v", err)
	}
}

// TestOldFormat: what an older program made opens by its code; of another code or a damaged
// head it says both.
func TestOldFormat(t *testing.T) {
	data, code, key, want := sealed(t)
	f, err := Decode(data)
	must(t, err)
	content, err := sealing.AES(key.Secret).Open(nil, nil, f.sealed, bound(magic, f.Header))
	must(t, err)
	h := f.Header
	body := sealing.AES(key.Secret).Seal(nil, nil, content, bound(magic1, h))
	sum := sha256.Sum256(body)
	h.Size, h.Sum = len(body), hex.EncodeToString(sum[:])
	head, err := h.encode(magic1)
	must(t, err)
	old, err := Decode(append(head, body...))
	must(t, err)
	if got, _, err := old.OpenByCode(code); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, _, err := old.OpenByCode(recovery.New()); !errors.Is(err, ErrCode) || !strings.Contains(err.Error(), "damaged") {
		t.Error(err)
	}
}

// TestDecodeRefuses: what is no backup, and what a newer program made, is told as that; and
// none makes the machine work without end for its code.
func TestDecodeRefuses(t *testing.T) {
	data, _, _, _ := sealed(t)
	for text, want := range map[string]error{"": ErrCut, "PK\x03\x04": ErrForeign, "gatehouse backup 3\n{}\n": ErrNewer, "gatehouse backup 1\nnothing\n": ErrDamaged,
		"gatehouse backup 2\n{}\n": ErrCut, strings.Replace(string(data), `"memory_kib":19456`, `"memory_kib":99999999`, 1): ErrDamaged,
		strings.Replace(string(data), `"building":"lane-7"`, `"building":"../../x"`, 1): ErrDamaged} {
		if _, err := Decode([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", text, err, want)
		}
	}
}

// TestKeyFile: a key is kept whole, and half of one is told.
func TestKeyFile(t *testing.T) {
	_, _, key, _ := sealed(t)
	path := filepath.Join(t.TempDir(), KeyFile)
	if _, err := LoadKey(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	must(t, key.Save(path))
	again, err := LoadKey(path)
	if err != nil || !reflect.DeepEqual(again, key) {
		t.Errorf("%v", err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	whole, err := os.ReadFile(path)
	must(t, err)
	for n := range whole {
		must(t, os.WriteFile(path, whole[:n], 0o600))
		if _, err := LoadKey(path); err == nil || strings.Contains(err.Error(), "secret") {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// FuzzDecode: no bytes bring the decoder down; what it takes is what it would write.
func FuzzDecode(f *testing.F) {
	data, _, key, _ := sealed(f)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("gatehouse backup 2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Decode(data)
		if err != nil {
			return
		}
		head, err := got.Header.encode(got.format)
		if err != nil || !bytes.Equal(append(head, got.sealed...), data) {
			t.Errorf("%q is read otherwise than it is written", data)
		}
		_, _ = got.Open(key)
	})
}
