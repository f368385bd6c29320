package evidence

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/journal"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
)

const (
	cosignedAt = 1_795_392_100
	start      = 1_795_392_000_000 // ms
)

func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// keys are those of a small town.
type keys struct{ root, issuer, witness, gateway ed25519.PrivateKey }

func townKeys() keys { return keys{keyOf(1), keyOf(2), keyOf(3), keyOf(4)} }

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// documents are the trust and house documents of the town.
func (k keys) documents(t testing.TB) (trust, house []byte) {
	t.Helper()
	role := func(r wire.Role, key ed25519.PrivateKey) wire.RoleKey {
		return wire.RoleKey{Role: r, Public: [32]byte(public(key))}
	}
	body := must[[]byte](t)(wire.Encode(wire.Trust{Version: 1, Issued: 1_790_000_000, Registry: "panyu", Records: []byte{1}, Desk: []byte{2}, Escrow: []byte{3}, CAs: [][]byte{{4}},
		Keys: []wire.RoleKey{role(wire.RoleIssuer, k.issuer), role(wire.RoleWitness, k.witness), {Role: wire.RoleWitness, Epoch: 1, Public: [32]byte(public(k.witness))}}})) // a key in two epochs
	trust = must[[]byte](t)(wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "panyu"}, body, k.root))
	body = must[[]byte](t)(wire.Encode(wire.House{Version: 1, Issued: 1_790_000_000, District: "panyu", Town: "shiqiao",
		Gateways: []wire.HouseGateway{{ID: "gw1", Public: [32]byte(public(k.gateway)), KEM: []byte{5}, Doors: []string{"back", "front"}}}}))
	house = must[[]byte](t)(wire.Sign(wire.Protected{Type: wire.TypeHouse, Role: wire.RoleIssuer, Address: "lane-7"}, body, k.issuer))
	return trust, house
}

// logged are the entries of an epoch of a real journal.
type logged struct {
	epoch   uint64
	entries []journaled.Stored
	leaves  []tlog.Hash
}

// keepLog runs a journal, appends these, and reads all that it has.
func keepLog(t testing.TB, script []wire.Header, who func(i int) wire.Who) logged {
	t.Helper()
	at := time.Duration(0)
	var mu sync.Mutex
	clock := func() journaled.Stamp {
		mu.Lock()
		defer mu.Unlock()
		at += 700 * time.Millisecond
		return journaled.Stamp{BootTime: uint64(at), Wall: start + at.Milliseconds(), Quality: wire.ClockNTP, Trusted: true}
	}
	j := must[*journal.Journal](t)(journal.Open(journal.Options{Dir: filepath.Join(t.TempDir(), "journal"), Clock: clock, Ballast: -1, Log: zerolog.Nop()}))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := j.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer stop()
	var card wire.Ref
	for i, h := range script {
		w := wire.Who{}
		if h.Kind == wire.KindAccess {
			w = who(i)
		}
		if h.Kind == wire.KindOpened {
			h.Ref = &card
		}
		if ref := must[wire.Ref](t)(j.Append(ctx, h, w)); h.Kind == wire.KindAccess {
			card = ref
		}
	}
	var l logged
	for from := (journaled.Position{}); ; {
		list, next, err := j.Entries(ctx, from, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			l.epoch, l.entries, l.leaves = e.Epoch, append(l.entries, e.Stored), append(l.leaves, leafOf(e.Stored))
		}
		from = next
	}
	head := j.Head()
	if root := (tree.Range{}).AddAll(l.leaves).Root(); head.Sequence != uint64(len(l.leaves)) || tlog.Hash(head.Root) != root {
		t.Fatalf("the journal stands at %d with another root than its %d entries have", head.Sequence, len(l.leaves))
	}
	return l
}

// passages are headers of a day at two doors: a granted card, the release, mostly an opening, and
// the lock secured again.
func passages(n int) (all []wire.Header) {
	for i := range n {
		door := [2]string{"front", "back"}[i%2]
		all = append(all, wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: door, Source: "street", Direction: wire.DirectionIn},
			wire.Header{Kind: wire.KindReleased, Reason: wire.ReasonCard, Door: door})
		if i%4 > 0 {
			all = append(all, wire.Header{Kind: wire.KindOpened, Door: door})
		}
		all = append(all, wire.Header{Kind: wire.KindSecured, Reason: wire.ReasonTimer, Door: door})
	}
	return all
}

func person(i int) wire.Who {
	return wire.Who{Credential: &wire.CredentialID{1, byte(i)}, Grant: &wire.ID{2, byte(i)}, Tenancy: &wire.ID{3, byte(i)}, Method: wire.MethodCard}
}

func smallLog(t testing.TB) logged { return keepLog(t, passages(14), person) }

func sequence(entries []journaled.Stored) iter.Seq2[journaled.Stored, error] {
	return func(yield func(journaled.Stored, error) bool) {
		for _, s := range entries {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// span is the proof of some entries in the tree of size.
func (l logged) span(t testing.TB, first, end, size uint64) tree.Span {
	t.Helper()
	return must[tree.Span](t)(tree.NewSpan(tree.Range{}.AddAll(l.leaves[:first]), end, size, func(at uint64, level int) (tlog.Hash, error) {
		return tree.Range{}.AddAll(l.leaves[at : at+1<<level]).Root(), nil
	}))
}

func (l logged) checkpoint(size uint64) checkpoint.Checkpoint {
	return checkpoint.Checkpoint{Address: "lane-7/gw1", Epoch: l.epoch, Size: size, Root: wire.Hash(tree.Range{}.AddAll(l.leaves[:size]).Root())}
}

func (k keys) cosign(c checkpoint.Checkpoint) string { return k.cosignAt(c, cosignedAt) }

func (k keys) cosignAt(c checkpoint.Checkpoint, at uint64) string {
	return c.Note(public(k.gateway), c.Sign(k.gateway), checkpoint.Cosignature{Name: checkpoint.WitnessName("panyu"), Public: public(k.witness), Time: at, Signature: c.Cosign(k.witness, at)})
}

// signAlone is the checkpoint with the log's signature only.
func (k keys) signAlone(t testing.TB, c checkpoint.Checkpoint) string {
	t.Helper()
	s := must[note.Signer](t)(newSigner(c.Origin(), k.gateway))
	return string(must[[]byte](t)(note.Sign(&note.Note{Text: c.Text()}, s)))
}

// content is what a mandate for the front door gets of the entries from first to end.
func (l logged) content(t testing.TB, k keys, first, end uint64) Content {
	t.Helper()
	trust, house := k.documents(t)
	zone := time.FixedZone("", 8*3600)
	from := time.UnixMilli(start).In(zone)
	entries := append([]journaled.Stored{}, l.entries[first:end]...)
	for i, s := range entries {
		h := must[wire.Header](t)(wire.DecodeHeader(s.Header))
		if at := first + uint64(i); h.Door != "front" || at < first+4 {
			entries[i] = s.Erase()
		}
	}
	size := uint64(len(l.leaves))
	return Content{
		Manifest: Manifest{Registry: "panyu", Root: fmt.Sprintf("%x", public(k.root)), Gateway: "lane-7/gw1", Epoch: Epoch(l.epoch), First: first,
			Scope: Scope{Doors: []string{"front"}, From: from, Until: from.Add(24 * time.Hour)}, Mandate: Mandate{Reference: "440000-2026-7", SHA256: wire.Hash{9}}, TimeZone: "Asia/Shanghai",
			Clock: ClockState{Quality: "ntp", Earliest: from.Add(time.Hour), Latest: from.Add(time.Hour + time.Second)}, Made: Making{At: from.Add(time.Hour), Software: "test", SiteFile: wire.Hash{8}},
			Doors: []Door{{"back", false}, {"front", true}}, Boots: []Boot{{1, "test"}}, Epochs: []Head{{Epoch(l.epoch), size, l.checkpoint(size).Root}}},
		Entries: sequence(entries), Erased: func() bool { return true }, Head: Proven{k.cosign(l.checkpoint(size)), l.span(t, first, end, size)},
		Pins: []Pin{{Boot: 1, BootTime: 5, Wall: start, Within: 20, By: "ntp"}}, Trust: trust, House: house, Log: public(k.gateway), Key: k.gateway,
	}
}

func written(t testing.TB, c Content) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sample is a small file with every kind of member, its log, and the town's keys.
func sample(t testing.TB) ([]byte, logged, keys) {
	t.Helper()
	l, k := smallLog(t), townKeys()
	c := l.content(t, k, 5, 35)
	c.Head.Note = k.signAlone(t, l.checkpoint(uint64(len(l.leaves))))
	c.Cosigned = &Proven{k.cosign(l.checkpoint(31)), l.span(t, 5, 31, 31)}
	return written(t, c), l, k
}

func leafOf(s journaled.Stored) tlog.Hash { return tree.LeafHash(s.Header, s.WhoHash[:]) }
