package authority

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/periods"
)

// anew is the next trust document of a new registry.
func anew(t *testing.T) NextTrust {
	t.Helper()
	dir := t.TempDir()
	if err := Init(dir, Setup{Registry: "registry-1", Hosts: []string{"registry.example.org"}, Enrol: 8443, Broker: 8883, Now: start}); err != nil {
		t.Fatal(err)
	}
	return NextTrust{Dir: filepath.Join(dir, DirIssuer), Front: filepath.Join(dir, DirFront), Root: filepath.Join(dir, DirOffline, FileRootKey), Now: start}
}

func (n NextTrust) sign(t *testing.T) SignedTrust {
	t.Helper()
	done, err := n.Sign()
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func epochs(s TrustStatement, role wire.Role) (all []uint64) {
	for _, k := range s.Keys {
		if k.Role == string(role) {
			all = append(all, k.Epoch)
		}
	}
	slices.Sort(all)
	return all
}

// TestNextTrust: a replaced key is certified under the next epoch of its role, the
// processes find a key and a document that belong together, and a document that
// takes nothing back is of format 1.
func TestNextTrust(t *testing.T) {
	n := anew(t)
	n.Replace = []string{ReplaceIssuer}
	done := n.sign(t)
	if done.Version != 2 || done.Trust.Format != 1 || done.Plain != 0 || !slices.Equal(epochs(done.Trust, wire.RoleIssuer), []uint64{1, 2}) || len(done.Trust.False) != 0 {
		t.Errorf("%+v", done)
	}
	k, err := Load(n.Dir)
	if err != nil || k.Epoch != 2 || k.Trust.Version != 2 || k.TrustOlder != nil {
		t.Fatalf("epoch %d, %v", k.Epoch, err)
	}
	for _, dir := range []string{n.Front, filepath.Dir(n.Root)} {
		if s, err := ShowTrust(dir); err != nil || s.Version != 2 {
			t.Errorf("%s: %+v %v", dir, s, err)
		}
	}
	if old, err := keys.LoadPrivateKey(done.Replaced[0].Old); err != nil || old.Equal(k.Issuer) {
		t.Errorf("the key before: %v", err)
	}
	n.Replace = []string{ReplaceWitness, ReplaceSecond}
	done = n.sign(t)
	if !slices.Equal(epochs(done.Trust, wire.RoleWitness), []uint64{2}) || !slices.Equal(epochs(done.Trust, wire.RoleIssuer), []uint64{2, 3}) {
		t.Errorf("%+v", done.Trust)
	}
	second, err := keys.LoadPrivateKey(filepath.Join(filepath.Dir(n.Root), FileSecond))
	if err != nil {
		t.Fatal(err)
	}
	if k, err = Load(n.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := SignAs(k.Trust, wire.TypeSecond, "house-1", []byte{1}, second); err != nil {
		t.Errorf("the new second issuer: %v", err)
	}
}

// TestTrustTakesBack: what a thief's key said is void. Honest keys of its epoch go
// on under another, and gateways that read format 1 alone get a document of their
// own, of the version before.
func TestTrustTakesBack(t *testing.T) {
	n := anew(t)
	n.Replace, n.False, n.Add = []string{ReplaceIssuer, ReplaceWitness}, true, []string{"https://new.example.org:8443", "mqtts://new.example.org:8883"}
	done := n.sign(t)
	if done.Version != 3 || done.Plain != 2 || done.Trust.Format != 2 || !slices.Equal(done.Trust.False, []string{"issuer 1", "witness 1"}) ||
		!slices.Equal(epochs(done.Trust, wire.RoleIssuer), []uint64{2, 2}) || len(done.Trust.Addresses) != 2 {
		t.Errorf("%+v", done)
	}
	k, err := Load(n.Dir)
	if err != nil || !k.Trust.IsFalse(wire.RoleWitness, 1) || k.Trust.IsFalse(wire.RoleWitness, 2) {
		t.Fatalf("%+v %v", k.Trust, err)
	}
	plain, err := keys.OpenTrust(k.ForAll(), k.Root, "registry-1")
	if err != nil || plain.Version != 2 || wire.VersionOf(plain) != 1 || fmt.Sprint(plain.Keys) != fmt.Sprint(k.Trust.Keys) {
		t.Errorf("for gateways of format 1: %+v %v", plain, err)
	}
	n.Replace, n.False, n.Add, n.Remove = nil, false, nil, []string{"https://new.example.org:8443"}
	if done = n.sign(t); done.Version != 5 || len(done.Trust.Addresses) != 1 || len(done.Trust.False) != 2 {
		t.Errorf("what was taken back stays so: %+v", done)
	}
}

// TestTrustAfterInterruption: the new key comes last. A run that ended between is
// made good by the next one, and no version is used twice, whatever backup of a
// directory was put back.
func TestTrustAfterInterruption(t *testing.T) {
	n := anew(t)
	old, err := os.ReadFile(filepath.Join(n.Dir, FileIssuer))
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(filepath.Join(n.Dir, api.FileTrust))
	if err != nil {
		t.Fatal(err)
	}
	n.Replace = []string{ReplaceIssuer}
	n.sign(t)
	if err := os.WriteFile(filepath.Join(n.Dir, FileIssuer), old, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(n.Dir); err == nil {
		t.Fatal("a key that the document does not name is taken")
	}
	if err := os.WriteFile(filepath.Join(n.Dir, api.FileTrust), first, 0o600); err != nil { // an old backup
		t.Fatal(err)
	}
	done := n.sign(t)
	if k, err := Load(n.Dir); err != nil || k.Trust.Version != 3 || k.Epoch != 3 {
		t.Errorf("%+v: %v", done, err)
	}
}

// TestTrustRefuses: what can't be meant is refused with what to do, and nothing is
// signed.
func TestTrustRefuses(t *testing.T) {
	n, other := anew(t), anew(t)
	for name, change := range map[string]func(*NextTrust){
		"another root":      func(n *NextTrust) { n.Root = other.Root; n.Replace = []string{ReplaceIssuer} },
		"no root":           func(n *NextTrust) { n.Root += "x" },
		"no such key":       func(n *NextTrust) { n.Replace = []string{"desk"} },
		"no front":          func(n *NextTrust) { n.Front, n.Replace = "", []string{ReplaceWitness} },
		"bad address":       func(n *NextTrust) { n.Add = []string{"registry.example.org:8443"} },
		"no port":           func(n *NextTrust) { n.Add = []string{"https://registry.example.org"} },
		"not there":         func(n *NextTrust) { n.Remove = []string{"https://registry.example.org:8443"} },
		"not the directory": func(n *NextTrust) { n.Dir = t.TempDir(); n.Front = "" },
	} {
		bad := n
		change(&bad)
		_, err := bad.Sign()
		var said *socket.Error
		if !errors.As(err, &said) || said.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.Replace = []string{ReplaceIssuer}
	if err := os.Remove(filepath.Join(n.Dir, FileIssuer)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(filepath.Dir(n.Root), FileSecond), filepath.Join(n.Front, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	_, err := n.Sign()
	if err == nil || !strings.Contains(err.Error(), "names 2 keys") {
		t.Fatalf("both issuers' keys are elsewhere: %v", err)
	}
	s, err := ShowTrust(n.Dir)
	if err != nil || s.Version < 1 {
		t.Fatal(err)
	}
	n.Drop = []string{s.Keys[0].ID}
	if done := n.sign(t); len(epochs(done.Trust, wire.RoleIssuer)) != 2 {
		t.Errorf("the other issuer is gone: %+v", done.Trust)
	}
}

// TestOtherDirectory: in a directory that Init has not made nothing is written, no version
// is used up, and the answer says what it lacks and which flag names it.
func TestOtherDirectory(t *testing.T) {
	n := anew(t)
	n.Replace = []string{ReplaceIssuer}
	empty, missing := t.TempDir(), filepath.Join(t.TempDir(), "none")
	before, err := os.ReadFile(filepath.Join(filepath.Dir(n.Root), api.FileTrust))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ dir, front, word, flag string }{
		"empty":         {empty, n.Front, empty + " is another directory: it has no " + FilePlace, "--dir"},
		"missing":       {missing, n.Front, "there is no directory " + missing, "--dir"},
		"the front's":   {n.Front, n.Front, "it has no " + FilePlace, "--dir"},
		"empty front":   {n.Dir, empty, "it has no " + api.FileRoot, "--front-dir"},
		"missing front": {n.Dir, missing, "there is no directory " + missing, "--front-dir"},
	} {
		bad := n
		bad.Dir, bad.Front = c.dir, c.front
		_, signed := bad.Sign()
		_, renewed := RenewServer(c.dir, c.front, nil, n.Now)
		for what, err := range map[string]error{"trust": signed, "server": renewed} {
			var said *socket.Error
			if !errors.As(err, &said) || !strings.Contains(said.Message, c.word) || !strings.HasPrefix(said.Hint, c.flag+" ") {
				t.Errorf("%s, %s: %+v", name, what, err)
			}
		}
		if left, err := os.ReadDir(empty); err != nil || len(left) != 0 {
			t.Errorf("%s: it left %v, %v", name, left, err)
		}
	}
	after, err := os.ReadFile(filepath.Join(filepath.Dir(n.Root), api.FileTrust))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the stick's document changed: %v", err)
	}
	if done := n.sign(t); done.Version != 2 {
		t.Errorf("version %d", done.Version)
	}
}

// TestNextCA: a new CA stands beside the one before, which goes when it is over;
// certificates are by the new one from then on, and none lasts longer than its CA.
func TestNextCA(t *testing.T) {
	n := anew(t)
	first := n.sign(t).Trust.CAs
	if len(first) != 1 {
		t.Fatalf("CAs %v", first)
	}
	n.Now = first[0].Until.AddDate(0, -1, 0)
	until, err := RenewServer(n.Dir, n.Front, nil, n.Now)
	if err != nil || !until.Equal(first[0].Until) {
		t.Errorf("a certificate until %v of a CA until %v, %v", until, first[0].Until, err)
	}
	n.Replace = []string{ReplaceCA}
	two := n.sign(t)
	if len(two.Trust.CAs) != 2 || two.Trust.CAs[0] != first[0] || len(two.Replaced) != 2 {
		t.Fatalf("%+v", two)
	}
	if k, err := Load(n.Dir); err != nil || !k.CA.NotAfter.Equal(two.Trust.CAs[1].Until) {
		t.Fatalf("the issuer does not use it: %v", err)
	}
	if until, err := RenewServer(n.Dir, n.Front, nil, n.Now); err != nil || !until.After(first[0].Until) {
		t.Errorf("a certificate by the new CA until %v, %v", until, err)
	}
	raw, err := os.ReadFile(filepath.Join(n.Front, api.FileCA))
	if err != nil || strings.Count(string(raw), "BEGIN CERTIFICATE") != 2 {
		t.Errorf("the front's directory has %d CAs, %v", strings.Count(string(raw), "BEGIN CERTIFICATE"), err)
	}
	dropped := n
	dropped.Replace, dropped.Drop = nil, []string{first[0].ID, two.Trust.CAs[1].ID}
	if all := dropped.sign(t).Trust.CAs; len(all) != 1 || all[0].ID != two.Trust.CAs[1].ID {
		t.Errorf("after the one before was dropped, and the one in use named too: %v", all)
	}
	n.Now = two.Trust.CAs[1].Until.AddDate(0, 0, 1)
	if all := n.sign(t).Trust.CAs; len(all) != 2 {
		t.Errorf("the one in use is over, and another beside it: %v", all)
	}
	n.Replace = nil
	if all := n.sign(t).Trust.CAs; len(all) != 1 {
		t.Errorf("one that is over stays: %v", all)
	}
}

// TestApprovers: two approvers of each of 172 towns fit; a document with them has a twin in each older
// format, which names none; a seat that is certified anew has the new key alone, and one that is
// revoked none.
func TestApprovers(t *testing.T) {
	n := anew(t)
	for i := range 2 * 172 {
		n.Certify = append(n.Certify, approver.Approver{Seat: fmt.Sprintf("seat-%03d", i), Public: [32]byte{1, byte(i), byte(i >> 8)}, District: "north", Town: fmt.Sprintf("town-%d", i/2)})
	}
	n.Add = []string{"https://new.example.org:8443"}
	done := n.sign(t)
	if done.Version != 4 || done.Plain != 2 || done.Trust.Format != 4 || len(done.Trust.Approvers) != 344 {
		t.Fatalf("version %d, plain %d, format %d, %d approvers", done.Version, done.Plain, done.Trust.Format, len(done.Trust.Approvers))
	}
	k, err := Load(n.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ version, format uint64 }{{4, 4}, {3, 2}, {2, 1}} {
		envelope := k.Trusts()[i]
		got, err := keys.OpenTrust(envelope, k.Root, "registry-1")
		if err != nil || got.Version != want.version || wire.VersionOf(got) != want.format || (len(got.Approvers) > 0) != (want.format == 4) || (len(got.Addresses) > 0) != (want.format > 1) {
			t.Errorf("document %d: version %d, format %d, %d approvers, %v", i, got.Version, wire.VersionOf(got), len(got.Approvers), err)
		}
		if len(envelope) > wire.MaxMessage/2 {
			t.Errorf("document %d has %d bytes", i, len(envelope))
		}
	}
	if !bytes.Equal(k.ForAll(), k.Trusts()[2]) {
		t.Error("not every gateway reads what all are given")
	}
	n.Add, n.Revoke, n.Certify = nil, []string{"seat-001", "seat-002"}, []approver.Approver{{Seat: "seat-000", Public: [32]byte{9}, District: "north"}}
	if done = n.sign(t); len(done.Trust.Approvers) != 342 || done.Trust.Approvers[0].Town != "" || done.Trust.Approvers[1].Seat != "seat-003" {
		t.Errorf("%+v", done.Trust.Approvers[:2])
	}
	if k, err = Load(n.Dir); err != nil || k.Trust.Approvers[0].Public != [32]byte{9} {
		t.Errorf("%v", err)
	}
}

// TestApproversGone: a document whose last approver is revoked leaves no twin of before.
func TestApproversGone(t *testing.T) {
	n := anew(t)
	n.Add, n.Certify = []string{"https://new.example.org:8443"}, []approver.Approver{{Seat: "a", Public: [32]byte{1}, District: "north"}}
	n.sign(t)
	n.Add, n.Remove, n.Certify, n.Revoke = nil, []string{"https://new.example.org:8443"}, nil, []string{"a"}
	if done := n.sign(t); done.Trust.Format != 1 || done.Plain != 0 {
		t.Errorf("%+v", done)
	}
	k, err := Load(n.Dir)
	if err != nil || len(k.TrustOlder) != 0 {
		t.Errorf("%d twins, %v", len(k.TrustOlder), err)
	}
	for _, dir := range []string{n.Dir, n.Front, filepath.Dir(n.Root)} {
		for _, name := range []string{FileTrustPlain, FileTrustTwo, FileTrustFour} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				t.Errorf("%s still has %s", dir, name)
			}
		}
	}
}

// TestPolicy: a document with a policy has a twin in each older format, which says nothing of it; what is not named anew stays; one that
// is taken away leaves no twin of before.
func TestPolicy(t *testing.T) {
	n := anew(t)
	n.Add, n.Certify = []string{"https://new.example.org:8443"}, []approver.Approver{{Seat: "a", Public: [32]byte{1}, District: "north"}}
	n.Policy = &periods.Periods{Whos: 10, Acts: 100}
	done := n.sign(t)
	if done.Version != 5 || done.Plain != 2 || done.Trust.Format != 5 || *done.Trust.Retention != (StatedPeriods{Whos: 10, Acts: 100}) {
		t.Fatalf("version %d, plain %d, format %d, %+v", done.Version, done.Plain, done.Trust.Format, done.Trust.Retention)
	}
	k, err := Load(n.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ version, format uint64 }{{5, 5}, {4, 4}, {3, 2}, {2, 1}} {
		got, err := keys.OpenTrust(k.Trusts()[i], k.Root, "registry-1")
		if err != nil || got.Version != want.version || wire.VersionOf(got) != want.format || (got.Retention != nil) != (want.format == 5) || (len(got.Approvers) > 0) != (want.format > 2) {
			t.Errorf("document %d: version %d, format %d, %+v, %v", i, got.Version, wire.VersionOf(got), got.Retention, err)
		}
	}
	n.Add, n.Certify, n.Policy = nil, nil, &periods.Periods{Children: 3, Acts: 90}
	if done = n.sign(t); *done.Trust.Retention != (StatedPeriods{Whos: 10, Children: 3, Acts: 90}) {
		t.Errorf("%+v", done.Trust.Retention)
	}
	n.Policy, n.Add = nil, []string{"https://third.example.org:8443"}
	if done = n.sign(t); done.Trust.Retention == nil {
		t.Error("another document takes the policy away")
	}
	n.Add, n.Policy = nil, &periods.Periods{}
	if done = n.sign(t); done.Trust.Format != 4 || done.Trust.Retention != nil {
		t.Errorf("%+v", done)
	}
	for _, dir := range []string{n.Dir, n.Front, filepath.Dir(n.Root)} {
		if _, err := os.Stat(filepath.Join(dir, FileTrustFour)); err == nil {
			t.Errorf("%s still has %s", dir, FileTrustFour)
		}
	}
	if _, err := n.Sign(); err == nil || !strings.Contains(err.Error(), "none to take away") {
		t.Errorf("taken away twice: %v", err)
	}
	n.Policy = &periods.Periods{Whos: periods.Most + 1}
	if _, err := n.Sign(); err == nil || !strings.Contains(err.Error(), "more than 400 days") {
		t.Errorf("too long: %v", err)
	}
}

// TestApproversRefused: what no trust document may say of approvers is said before anything is written.
func TestApproversRefused(t *testing.T) {
	n := anew(t)
	k, err := Load(n.Dir)
	if err != nil {
		t.Fatal(err)
	}
	good := approver.Approver{Seat: "a", Public: [32]byte{1}, District: "north"}
	for name, change := range map[string]func(n *NextTrust){
		"a seat that is none": func(n *NextTrust) { n.Revoke = []string{"b"} },
		"an issuer's key": func(n *NextTrust) {
			n.Certify = []approver.Approver{{Seat: "a", Public: [32]byte(k.Public()), District: "north"}}
		},
		"one key for two seats": func(n *NextTrust) {
			n.Certify = []approver.Approver{good, {Seat: "b", Public: good.Public, District: "north"}}
		},
		"a person's name": func(n *NextTrust) {
			n.Certify = []approver.Approver{{Seat: "王某", Public: good.Public, District: "north"}}
		},
		"no district": func(n *NextTrust) { n.Certify = []approver.Approver{{Seat: "a", Public: good.Public}} },
	} {
		bad := n
		change(&bad)
		if _, err := bad.Sign(); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	if s, err := ShowTrust(n.Dir); err != nil || s.Version != 1 {
		t.Errorf("version %d, %v", s.Version, err)
	}
}
