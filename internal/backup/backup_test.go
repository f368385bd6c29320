package backup

import (
	"bytes"
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
	data, code, key, _ := sealed(t)
	for i := range data {
		wrong := bytes.Clone(data)
		wrong[i] ^= 1
		f, err := Decode(wrong)
		if err != nil {
			continue
		}
		if _, err := f.Open(key); err == nil && reflect.DeepEqual(f.Key, key.Wrap) {
			t.Fatalf("byte %d may be another one", i)
		}
	}
	if _, err := Decode(append(bytes.Clone(data), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: %v", err)
	}
	f, err := Decode(bytes.Replace(data, []byte("2026-11-30"), []byte("2026-12-30"), 1))
	must(t, err)
	if _, _, err := f.OpenByCode(code); !errors.Is(err, ErrDamaged) {
		t.Errorf("passed off as a newer one: %v", err)
	}
}

// TestDecodeRefuses: what is no backup, and what a newer program made, is told as that; and
// none makes the machine work without end for its code.
func TestDecodeRefuses(t *testing.T) {
	data, _, _, _ := sealed(t)
	for text, want := range map[string]error{"": ErrCut, "PK\x03\x04": ErrForeign, "gatehouse backup 2\n{}\n": ErrNewer, "gatehouse backup 1\nnothing\n": ErrDamaged,
		strings.Replace(string(data), `"memory_kib":19456`, `"memory_kib":99999999`, 1): ErrDamaged,
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
		head, err := got.Header.encode()
		if err != nil || !bytes.Equal(append(head, got.sealed...), data) {
			t.Errorf("%q is read otherwise than it is written", data)
		}
		_, _ = got.Open(key)
	})
}
