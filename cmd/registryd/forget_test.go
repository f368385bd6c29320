package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/erasures"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/whos"
)

// passages is the batch with which a gateway begins its log: one card at the door of each tenancy. seals are what
// names them.
func passages(t testing.TB, reg *keys.Registry, keys *keys.Keys, tenancies ...wire.ID) (b wire.Batch, seals [][]byte) {
	t.Helper()
	address := reg.Place.Address()
	sealer, err := whos.Begin(reg.Trust.Records, address, 1)
	must(t, err)
	b = wire.Batch{Epoch: 1, Context: sealer.Encapsulated()}
	var parts []whos.Part
	var r tree.Range
	for i, tenancy := range tenancies {
		header, err := wire.Header{Boot: 1, Counter: uint64(i), Wall: 1_796_000_000_000, Clock: wire.ClockNTP, Kind: wire.KindAccess, Outcome: wire.OutcomeGranted,
			Reason: wire.ReasonGranted, Door: "front", Source: "reader-1", Direction: wire.DirectionIn}.Encode()
		must(t, err)
		who, err := wire.Who{Credential: &wire.CredentialID{1, 7, 7}, Tenancy: &tenancy, Method: wire.MethodCard}.Encode()
		must(t, err)
		part := whos.Part{Index: uint16(i), Salt: [16]byte{byte(i)}, Who: who}
		hash := wire.WhoHash(part.Salt, who)
		b.Headers, b.Whos, parts, r = append(b.Headers, header), append(b.Whos, hash[:]), append(parts, part), r.Add(tree.LeafHash(header, hash[:]))
	}
	b.Sealed, err = sealer.Seal(0, parts)
	must(t, err)
	b.Root = wire.Hash(r.Root())
	b.Signature = checkpoint.Checkpoint{Address: address, Epoch: 1, Size: r.Size(), Root: b.Root}.Sign(keys.Gateway)
	all, err := whos.Split(b.Sealed)
	must(t, err)
	for _, s := range all {
		seals = append(seals, bytes.Clone(s.Bytes))
	}
	return b, seals
}

// has reports whether a file of the front has these bytes.
func (r *centre) has(text []byte) (found bool) {
	r.t.Helper()
	must(r.t, filepath.WalkDir(filepath.Join(r.dir, "front"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var b []byte
			b, err = os.ReadFile(path)
			found = found || bytes.Contains(b, text)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a temporary file, by now
		}
		return err
	}))
	return found
}

// forgets: of one of two tenants the log names nobody any more, with every byte in the front's files; of the other it
// does; the entries stay, and nothing shows which of them were whose.
func (r *centre) forgets(trust wire.Trust, tenancy wire.ID, seals [][]byte) {
	t := r.t
	t.Helper()
	records, short := filepath.Join(r.dir, "offline", "records.key"), tenancy.String()[:8]
	before := r.ok("entries")
	r.refused("不是理由 is no reason: resident / order", "forget", short, "--key", records, "--reason", "arrears", "--case", "12")
	r.refused("somebody's name", "forget", short, "--key", records, "--reason", "order", "--case", "张三")
	r.refused("缺少 missing: --case", "forget", short, "--key", records, "--reason", "order", "--case", " ")
	r.refused("no tenancy", "forget", wire.ID{8}.String(), "--key", records, "--reason", "order", "--case", "12")
	r.refused("PEM", "forget", short, "--key", filepath.Join(r.dir, "offline", "root.key"), "--reason", "order", "--case", "12")
	r.refused("opens nothing of building", "forget", short, "--key", filepath.Join(r.dir, "offline", "escrow.key"), "--reason", "order", "--case", "12")
	for i, seal := range seals {
		if !r.has(seal) {
			t.Errorf("the seal of entry %d went by nobody's word", i)
		}
	}
	audit := r.ok("audit")
	r.refused("can't be written", "forget", short, "--key", records, "--reason", "order", "--case", "12", "--order", filepath.Join(r.dir, "nowhere", "order"))
	if after := r.ok("audit"); after != audit {
		t.Errorf("an order that can't be kept is written down as made:\n%s", after)
	}
	if out := r.ok("forget", short, "--key", records, "--reason", "order", "--case", "file 12"); !strings.Contains(out, "2 who parts of building house-1 erased") || strings.Contains(out, "NOT LOOKED AT") {
		t.Error(out)
	}
	for i, seal := range seals {
		if there := r.has(seal); there != (i == 1) {
			t.Errorf("seal of entry %d is in the files: %t", i, there)
		}
	}
	paper := filepath.Join(r.dir, "order")
	if out := r.ok("forget", short, "--key", records, "--reason", "resident", "--case", "file 13", "--order", paper); !strings.Contains(out, "0 who parts") || !strings.Contains(out, "at each: gatehouse forget "+paper) {
		t.Error(out)
	}
	r.refused("is there already", "forget", short, "--key", records, "--reason", "resident", "--case", "file 14", "--order", paper)
	if out := r.ok("forget", "list"); !strings.Contains(out, "house-1/gw-1  0 days") || !strings.Contains(out, "file 13") || strings.Contains(out, "file 12") {
		t.Error(out)
	}
	envelope, err := os.ReadFile(paper)
	must(t, err)
	if o, err := erasures.Open(envelope, "house-1", trust.Keyset(wire.RoleIssuer)); err != nil || o.Tenancy != tenancy || time.Since(time.Unix(int64(o.Made), 0)).Abs() > time.Hour {
		t.Errorf("the order is %+v, %v", o, err)
	}
	if after := r.ok("entries"); after != before {
		t.Errorf("the entries show what was erased:\n%s\n%s", before, after)
	}
	if out := r.ok("audit"); !strings.Contains(out, "order: file 12") || !strings.Contains(out, tenancy.String()) {
		t.Error(out)
	}
}

// preserves: an enrolled officer's order keeps an entry that is to be forgotten, and shows in no list but its own; that of
// an officer who was revoked does not, nor one that is too wide or for a gateway that is not there.
func (r *centre) preserves() {
	t := r.t
	t.Helper()
	at := func(name string) string { return filepath.Join(r.dir, name) }
	now := time.Now()
	officer := func(name string) ed25519.PrivateKey {
		public, key, err := ed25519.GenerateKey(nil)
		must(t, err)
		must(t, keys.SaveIssuer(at(name+".pub"), wire.Key{Public: public}))
		status, _, errOut := r.call("officer", "add", "--unit", "刑侦一队", "--badge", name, "--district", "d1", "--town", "t1", "--key", at(name+".pub"), "--out", at(name+".cert"))
		if status != 0 || errOut != "" {
			t.Fatalf("officer add: %d %s", status, errOut)
		}
		return key
	}
	order := func(name string, key ed25519.PrivateKey, change func(o *mandates.Order)) string {
		certificate, err := os.ReadFile(at(name + ".cert"))
		must(t, err)
		o := mandates.Order{Gateway: "house-1/gw-1", Door: "front", From: uint32(now.AddDate(0, 0, -29).Unix()), Until: uint32(now.AddDate(0, 0, -28).Unix()), Case: "case 1",
			Signed: uint32(now.Unix()), Certificate: certificate}
		_, err = rand.Read(o.Reference[:])
		must(t, err)
		if change != nil {
			change(&o)
		}
		envelope, err := o.Sign("registry-1", key)
		must(t, err)
		path := at("order-" + o.Reference.String())
		must(t, os.WriteFile(path, envelope, 0o600))
		return path
	}
	one, two := officer("000001"), officer("000002")
	r.refused("span_too_wide", "preserve", order("000001", one, func(o *mandates.Order) { o.From-- }))
	r.refused("no gateway", "preserve", order("000001", one, func(o *mandates.Order) { o.Gateway = "house-1/gw-9" }))
	r.refused("order_unsigned", "preserve", order("000001", two, nil))
	r.refused("order_unsigned", "preserve", at("000001.cert"))
	r.refused("no such file", "preserve", at("none.order"))
	r.refused("no_such_door", "preserve", order("000001", one, func(o *mandates.Order) { o.Door = "nodoor" }))
	id := wire.IDOf(two.Public().(ed25519.PublicKey))
	r.ok("officer", "revoke", hex.EncodeToString(id[:]), "--reason", "left")
	r.refused("officer_revoked", "preserve", order("000002", two, nil))
	room := regexp.MustCompile(`, [0-9.]+ MB.*full`) // which others use, too
	shown := func() string { return room.ReplaceAllString(r.ok("entries")+r.ok("status"), "") }
	before := shown()
	good := order("000001", one, nil)
	first := r.ok("preserve", good)
	if !strings.Contains(first, "nothing of front at house-1/gw-1 from ") {
		t.Error(first)
	}
	if again := r.ok("preserve", good); again != first {
		t.Errorf("the same order again: %s, before %s", again, first)
	}
	if out := r.ok("preserved"); !strings.Contains(out, "case 1") || !strings.Contains(out, "house-1/gw-1") || !strings.Contains(out, "000001") || strings.Count(out, "case 1") != 1 {
		t.Error(out)
	}
	if after := shown(); after != before {
		t.Errorf("it shows:\n%s\n%s", before, after)
	}
}
