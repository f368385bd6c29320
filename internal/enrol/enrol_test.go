package enrol

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/firstkeys"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

func (i *issuer) options(dir string) Options {
	return Options{Token: i.token(), Dir: dir, Building: i.place.Building, Gateway: i.place.Gateway, Doors: []string{"front", "bikes"}, Software: "gatehouse test"}
}

func TestEnrol(t *testing.T) {
	i := newIssuer(t)
	dir := filepath.Join(t.TempDir(), "state", "keys")
	got, err := Enrol(t.Context(), i.options(dir))
	fatal(t, err)
	if !got.BuildingKey || time.Until(got.Expires) < 300*24*time.Hour || got.Skew.Abs() > time.Minute {
		t.Errorf("result %+v", got)
	}
	r, err := keys.LoadRegistry(dir)
	fatal(t, err)
	if r.Place != i.place || r.Name != "city" || r.Broker != "127.0.0.1:8883" || r.Trust.Version != 3 || r.House.Gateway("gate-1") == nil {
		t.Errorf("read back %+v", r)
	}
	if doors := r.House.Gateway("gate-1").Doors; !slices.Equal(doors, []string{"bikes", "front"}) {
		t.Errorf("doors %v", doors)
	}
	for _, name := range []string{keys.GatewayKeyFile, keys.SealKeyFile, keys.ClientKeyFile, keys.BuildingKeyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, pendingFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the request was left behind: %v", err)
	}
	sealed, err := sealing.Seal(r.House.Gateway("gate-1").KEM, sealing.BuildingKey, "house-1/gate-1", []byte("x"))
	fatal(t, err)
	if plain, err := sealing.Unseal(r.KEM, sealing.BuildingKey, "house-1/gate-1", sealed); err != nil || string(plain) != "x" {
		t.Errorf("the key that siblings seal to does not fit: %v", err)
	}
	if none, err := keys.LoadRegistry(t.TempDir()); none != nil || err != nil {
		t.Errorf("a standalone house: %v, %v", none, err)
	}
}

// TestLostAnswer: the token is burnt and the answer lost; the same command
// again gets the same answer, with the same keys.
func TestLostAnswer(t *testing.T) {
	i := newIssuer(t)
	i.lose = true
	dir := t.TempDir()
	if _, err := Enrol(t.Context(), i.options(dir)); err == nil {
		t.Fatal("enrolled by an answer that was lost")
	}
	if r, err := keys.LoadRegistry(dir); r != nil || err != nil {
		t.Fatalf("half an enrolment counts: %v, %v", r, err)
	}
	got, err := Enrol(t.Context(), i.options(dir))
	fatal(t, err)
	if !got.BuildingKey || i.served["introduce"] != 1 || i.served["enrol"] != 2 {
		t.Errorf("%+v after %v", got, i.served)
	}
}

// TestCrashAtEachFile: whatever was written when power went, the next call ends
// in a whole enrolment.
func TestCrashAtEachFile(t *testing.T) {
	i := newIssuer(t)
	whole := t.TempDir()
	i.lose = true
	_, _ = Enrol(t.Context(), i.options(whole))
	pending, err := os.ReadFile(filepath.Join(whole, pendingFile))
	fatal(t, err)
	_, err = Enrol(t.Context(), i.options(whole))
	fatal(t, err)
	order := []string{keys.RootFile, keys.TrustFile, keys.HouseFile, keys.CAFile, keys.ClientCertFile, keys.RegistryFile}
	for n := range len(order) + 1 {
		dir := t.TempDir()
		fatal(t, os.CopyFS(dir, os.DirFS(whole)))
		fatal(t, os.WriteFile(filepath.Join(dir, pendingFile), pending, 0o600))
		for _, lost := range order[n:] {
			fatal(t, os.Remove(filepath.Join(dir, lost)))
			fatal(t, os.WriteFile(filepath.Join(dir, lost+".new"), []byte("half"), 0o600))
		}
		if r, err := keys.LoadRegistry(dir); n < len(order) && r != nil {
			t.Errorf("enrolled after %d of %d files: %v", n, len(order), err)
		}
		_, err := Enrol(t.Context(), i.options(dir))
		fatal(t, err)
		if r, err := keys.LoadRegistry(dir); r == nil || err != nil {
			t.Errorf("after %d files and again: %v", n, err)
		}
	}
}

// TestDishonest: each answer that the root does not stand behind is refused,
// and leaves no gateway that takes itself for enrolled.
func TestDishonest(t *testing.T) {
	other := func() *ecdsa.PublicKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		fatal(t, err)
		return &key.PublicKey
	}
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	for name, c := range map[string]struct {
		change func(*issuer)
		want   string
	}{
		"wrong CA": {func(i *issuer) {
			i.listeners = func(c *tls.Certificate) {
				ca, key := i.ca, i.caKey
				i.ca, i.caKey = makeCA(t)
				*c = i.serverCertificate()
				i.ca, i.caKey = ca, key
			}
		}, "CA of the token"},
		"CA shown, leaf by another": {func(i *issuer) {
			i.listeners = func(c *tls.Certificate) {
				ca, key := i.ca, i.caKey
				i.ca, i.caKey = makeCA(t)
				*c = i.serverCertificate()
				i.ca, i.caKey = ca, key
				c.Certificate[1] = ca.Raw
			}
		}, "certificate"},
		"wrong root":             {func(i *issuer) { i.rootSigns = stranger }, "trust document is refused"},
		"house without us":       {func(i *issuer) { i.anonymous = true }, "does not name this gateway"},
		"house of no issuer":     {func(i *issuer) { i.signing = stranger }, "the answer is refused"},
		"house of other town":    {func(i *issuer) { i.house.Town = "old" }, "north/old"},
		"certificate, no key":    {func(i *issuer) { i.certify = other }, "for another key"},
		"certificate, no CA":     {func(i *issuer) { i.ca, i.caKey = makeCA(t) }, "does not verify"},
		"certificate, no signer": {func(i *issuer) { i.signer = "0011223344556677" }, "another signing key"},
		"trust of another":       {func(i *issuer) { i.trust.Registry = "village" }, "trust document is refused"},
		"certificate, garbage":   {func(i *issuer) { i.change = func(a *wire.Enrolled) { a.Certificates[0] = []byte{1} } }, "malformed"},
		"token used":             {func(i *issuer) { i.used = []byte("before") }, "token was used"},
		"wrong secret":           {func(i *issuer) { i.secret[0] ^= 1 }, "no such token"},
		"plain HTTP error":       {func(i *issuer) { i.refuse = func(w http.ResponseWriter) { w.WriteHeader(500) } }, "HTTP status 500"},
		"huge answer": {func(i *issuer) {
			i.refuse = func(w http.ResponseWriter) { w.Write(make([]byte, maxAnswer+1)) }
		}, "too large"},
		"garbage": {func(i *issuer) { i.refuse = func(w http.ResponseWriter) { w.Write([]byte{0xa0}) } }, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			if name == "wrong CA" || strings.HasPrefix(name, "CA shown") {
				i = newIssuer(t, c.change)
			}
			o := i.options(t.TempDir())
			c.change(i)
			_, err := Enrol(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one of %q", err, c.want)
			}
			var said *control.Error
			if c.want != "malformed" && c.want != "too large" && (!errors.As(err, &said) || said.Hint == "") {
				t.Errorf("no hint with %v", err)
			}
			if r, _ := keys.LoadRegistry(o.Dir); r != nil {
				t.Error("enrolled all the same")
			}
		})
	}
}

func mustKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	return key
}

// TestOtherHouse: keys of another building or registry are never mixed or
// overwritten.
func TestOtherHouse(t *testing.T) {
	i := newIssuer(t)
	dir := t.TempDir()
	_, err := Enrol(t.Context(), i.options(dir))
	fatal(t, err)
	before := readAll(t, dir)

	moved := newIssuer(t, func(i *issuer) { i.place.Building = "house-2" })
	elsewhere := moved.options(dir)
	notOurs := i.options(dir)
	notOurs.Building = "house-9"
	notUs := i.options(dir)
	notUs.Gateway = "gate-2"
	otherRoot := newIssuer(t)
	for name, o := range map[string]Options{"another building": elsewhere, "the site file's is another": notOurs,
		"another gateway": notUs, "another root": otherRoot.options(dir)} {
		var said *control.Error
		if _, err := Enrol(t.Context(), o); !errors.As(err, &said) || said.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := readAll(t, dir); !mapsEqual(before, after) {
		t.Error("a refused enrolment changed files")
	}
	if moved.served["introduce"]+otherRoot.served["introduce"] != 0 {
		t.Error("something was sent")
	}
}

// TestBuildingKey: a standalone house brings its key; a second gateway waits for
// its sibling's and makes none; one from another house is told.
func TestBuildingKey(t *testing.T) {
	i := newIssuer(t)
	dir := t.TempDir()
	own, err := keys.GenerateBuildingKey(9)
	fatal(t, err)
	fatal(t, keys.SaveBuildingKey(filepath.Join(dir, keys.BuildingKeyFile), own))
	_, err = Enrol(t.Context(), i.options(dir))
	fatal(t, err)
	if i.keyNumber != 9 {
		t.Errorf("the house's own key was not brought: number %d", i.keyNumber)
	}

	second := newIssuer(t, func(i *issuer) { i.keyNumber = 9 })
	got, err := Enrol(t.Context(), second.options(t.TempDir()))
	fatal(t, err)
	if got.BuildingKey {
		t.Error("a second gateway made a key of its own")
	}

	restored := newIssuer(t, func(i *issuer) { i.keyNumber = 9 })
	o := restored.options(t.TempDir())
	fatal(t, keys.SaveBuildingKey(filepath.Join(o.Dir, keys.BuildingKeyFile), own))
	if got, err = Enrol(t.Context(), o); err != nil || !got.BuildingKey {
		t.Errorf("a key that was restored: %v", err)
	}

	third := newIssuer(t, func(i *issuer) { i.keyNumber = 9 })
	o = third.options(t.TempDir())
	fatal(t, keys.SaveBuildingKey(filepath.Join(o.Dir, keys.BuildingKeyFile), own))
	fatal(t, keys.SaveIssuer(filepath.Join(o.Dir, keys.IssuerFile), wire.Key{Public: third.root.Public().(ed25519.PublicKey)}))
	var said *control.Error
	if _, err := Enrol(t.Context(), o); !errors.As(err, &said) || !strings.Contains(said.Hint, "sibling") {
		t.Errorf("a key from elsewhere: %v", err)
	}
	if third.served["enrol"] != 0 {
		t.Error("the token was spent on it")
	}
}

// refuses answers the next n requests like an issuer that has judged them.
func (i *issuer) refuses(n int) {
	i.refuse = func(w http.ResponseWriter) {
		if n--; n == 0 {
			i.refuse = nil
		}
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte(`{"error":"not so","hint":"ask for a new token"}`))
	}
}

// TestRefusedThenRight: a gateway that was refused after it had made the building's key has no key of
// the building, enrols with the next token, or becomes a standalone house.
func TestRefusedThenRight(t *testing.T) {
	i := newIssuer(t)
	o := i.options(t.TempDir())
	for range 2 {
		i.refuses(2)
		var said *control.Error
		if _, err := Enrol(t.Context(), o); !errors.As(err, &said) || said.Hint != "ask for a new token" || i.refuse != nil {
			t.Fatalf("%v", err)
		}
		fatal(t, firstkeys.Missing(o.Dir))
	}
	alone := t.TempDir()
	fatal(t, os.CopyFS(alone, os.DirFS(o.Dir)))
	stick, err := keys.NewStick(i.place.Building)
	fatal(t, err)
	if _, err = firstkeys.Install(t.TempDir(), alone, stick.Public(), stick.Building); err != nil {
		t.Errorf("no standalone house any more: %v", err)
	}
	i.secret[3] ^= 1
	o.Token = i.token()
	got, err := Enrol(t.Context(), o)
	if err != nil || !got.BuildingKey {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, offeredFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the offered key is left behind: %v", err)
	}
}

// TestSiblingWasFirst: of two gateways that make the building's key at the same time the second one
// enrols all the same, without the key that it made.
func TestSiblingWasFirst(t *testing.T) {
	i := newIssuer(t)
	i.refuses(1)
	i.intro = func(in *wire.Introduction) {
		if i.served["introduce"] > 1 {
			in.KeyNumber = 1
		}
	}
	o := i.options(t.TempDir())
	got, err := Enrol(t.Context(), o)
	if err != nil || got.BuildingKey || i.keyNumber != 0 || i.served["enrol"] != 2 {
		t.Errorf("%+v, %v, number %d, %v", got, err, i.keyNumber, i.served)
	}
	if left, _ := filepath.Glob(filepath.Join(o.Dir, "building.*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

// TestLostAnswerNewToken: the registry took the key and the answer was lost; the next token enrols the
// gateway with that key, which is the building's now.
func TestLostAnswerNewToken(t *testing.T) {
	i := newIssuer(t)
	i.lose = true
	o := i.options(t.TempDir())
	if _, err := Enrol(t.Context(), o); err == nil {
		t.Fatal("enrolled by an answer that was lost")
	}
	offered, err := os.ReadFile(filepath.Join(o.Dir, offeredFile))
	fatal(t, err)
	i.used, i.secret[3] = nil, i.secret[3]^1
	o.Token = i.token()
	if got, err := Enrol(t.Context(), o); err != nil || !got.BuildingKey {
		t.Errorf("%+v, %v", got, err)
	}
	if now, err := os.ReadFile(filepath.Join(o.Dir, keys.BuildingKeyFile)); err != nil || !bytes.Equal(now, offered) {
		t.Errorf("the building's key is another one: %v", err)
	}

	damaged := newIssuer(t)
	damaged.refuses(2)
	o = damaged.options(t.TempDir())
	if _, err := Enrol(t.Context(), o); err == nil {
		t.Fatal("not refused")
	}
	fatal(t, os.WriteFile(filepath.Join(o.Dir, offeredFile), []byte("half"), 0o600))
	if got, err := Enrol(t.Context(), o); err != nil || !got.BuildingKey {
		t.Errorf("an offered key that was damaged: %+v, %v", got, err)
	}
}

// TestAgain: an enrolled gateway may enrol again, and is given nothing older
// than it has.
func TestAgain(t *testing.T) {
	i := newIssuer(t, func(i *issuer) { i.house.Version = 2 })
	o := i.options(t.TempDir())
	_, err := Enrol(t.Context(), o)
	fatal(t, err)
	i.used = nil // a new token, as far as the issuer goes
	_, err = Enrol(t.Context(), o)
	fatal(t, err)
	before := readAll(t, o.Dir)
	delete(before, pendingFile)
	i.used, i.trust.Version = nil, 2
	if _, err := Enrol(t.Context(), o); err == nil || !strings.Contains(err.Error(), "version 2 after 3") {
		t.Errorf("an older trust document: %v", err)
	}
	i.used, i.trust.Version, i.house.Version = nil, 3, 1
	if _, err := Enrol(t.Context(), o); err == nil || !strings.Contains(err.Error(), "version 1 after 2") {
		t.Errorf("an older house document: %v", err)
	}
	after := readAll(t, o.Dir)
	delete(after, pendingFile)
	if !mapsEqual(before, after) {
		t.Error("files changed")
	}
}

// TestOneFileAnew: a file of an enrolment that is gone, or was damaged and moved away,
// is there again after one with a new token, as gatehouse status says; the building's
// key stays.
func TestOneFileAnew(t *testing.T) {
	for _, file := range []string{keys.GatewayKeyFile, keys.SealKeyFile, keys.RootFile, keys.ClientKeyFile, keys.ClientCertFile,
		keys.RegistryFile, keys.TrustFile, keys.HouseFile, keys.CAFile} {
		t.Run(file, func(t *testing.T) {
			i := newIssuer(t)
			o := i.options(t.TempDir())
			_, err := Enrol(t.Context(), o)
			fatal(t, err)
			building, err := os.ReadFile(filepath.Join(o.Dir, keys.BuildingKeyFile))
			fatal(t, err)
			fatal(t, os.Rename(filepath.Join(o.Dir, file), filepath.Join(o.Dir, file+".aside")))
			i.used, i.signer = nil, ""
			_, err = Enrol(t.Context(), o)
			fatal(t, err)
			if _, err := keys.LoadRegistry(o.Dir); err != nil {
				t.Error(err)
			}
			if _, err := tls.LoadX509KeyPair(filepath.Join(o.Dir, keys.ClientCertFile), filepath.Join(o.Dir, keys.ClientKeyFile)); err != nil {
				t.Error(err)
			}
			if _, err := keys.LoadPrivateKey(filepath.Join(o.Dir, keys.GatewayKeyFile)); err != nil {
				t.Error(err)
			}
			if now, err := os.ReadFile(filepath.Join(o.Dir, keys.BuildingKeyFile)); err != nil || !slices.Equal(now, building) {
				t.Errorf("the building's key is another one (%v)", err)
			}
		})
	}
}

// TestAfterTheEndOfTheCA: a gateway of a registry whose CA was over enrols in its place by
// a token that names the next one, with the building's key that it has. So does one
// of which nothing but that key is left.
func TestAfterTheEndOfTheCA(t *testing.T) {
	for _, kept := range []bool{true, false} {
		i := newIssuer(t)
		o := i.options(t.TempDir())
		_, err := Enrol(t.Context(), o)
		fatal(t, err)
		building, err := os.ReadFile(filepath.Join(o.Dir, keys.BuildingKeyFile))
		fatal(t, err)
		next := newIssuer(t, func(n *issuer) {
			n.root, n.rootSigns, n.signing, n.escrow, n.keyNumber = i.root, i.root, i.signing, i.escrow, i.keyNumber
			n.trust.Escrow, n.trust.Keys, n.trust.Version, n.house.Version = i.trust.Escrow, i.trust.Keys, i.trust.Version+1, i.house.Version+1
		})
		again := next.options(o.Dir)
		if !kept {
			again.Dir = t.TempDir()
			fatal(t, os.WriteFile(filepath.Join(again.Dir, keys.BuildingKeyFile), building, 0o600))
		}
		got, err := Enrol(t.Context(), again)
		fatal(t, err)
		if now, err := os.ReadFile(filepath.Join(again.Dir, keys.BuildingKeyFile)); !got.BuildingKey || err != nil || !slices.Equal(now, building) {
			t.Errorf("all keys kept %v: the building's key is another one (%v)", kept, err)
		}
		if r := got.Registry; !slices.Equal(r.Trust.CAs[0], next.ca.Raw) || r.Trust.Version != i.trust.Version+1 {
			t.Errorf("all keys kept %v: the trust before counts", kept)
		}
	}
}

// TestNoTime: a server whose certificate is not yet valid by our clock is taken
// at enrolment, because the clock may know nothing.
func TestNoTime(t *testing.T) {
	i := newIssuer(t, func(i *issuer) { i.notBefore = time.Now().AddDate(0, 1, 0) })
	o := i.options(t.TempDir())
	o.Now = func() time.Time { return time.Unix(0, 0) }
	got, err := Enrol(t.Context(), o)
	fatal(t, err)
	if got.Skew < 50*365*24*time.Hour {
		t.Errorf("a clock of 1970 is %v off", got.Skew)
	}
}

func TestNobodyThere(t *testing.T) {
	i := newIssuer(t)
	o := i.options(t.TempDir())
	i.server.Close()
	var said *control.Error
	if _, err := Enrol(t.Context(), o); !errors.As(err, &said) || said.Hint == "" {
		t.Errorf("nobody there: %v", err)
	}
	wrong := newIssuer(t)
	o = wrong.options(t.TempDir())
	o.Token.Enrol = strings.Replace(o.Token.Enrol, "127.0.0.1", "localhost", 1)
	if _, err := Enrol(t.Context(), o); !errors.As(err, &said) || !strings.Contains(said.Hint, "host name") {
		t.Errorf("another host name: %v", err)
	}
}

func readAll(t *testing.T, dir string) map[string][]byte {
	all := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	fatal(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		fatal(t, err)
		all[e.Name()] = b
	}
	return all
}

func mapsEqual(a, b map[string][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			return false
		}
	}
	return true
}
