package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
	"gatehouse/sync/wire/whos"
)

// townful is a registry that has stored a gateway's entries of each of many buildings.
type townful struct {
	*centre
	records []byte // public
	issuer  ed25519.PrivateKey
	began   time.Time
	entries int // of a building, a batch each
	// together is how many entries' who parts are sealed in one context: those of an hour.
	together uint64
	own      []ed25519.PrivateKey
}

func (c *townful) place(i int) wire.Place {
	return wire.Place{District: "d1", Town: "t1", Building: fmt.Sprintf("house-%d", i), Gateway: "gw-1"}
}

// fill stores the entries of a building as they come on a quiet day: a passage each, its who part sealed, in a context an hour.
func (c *townful) fill(tx *store.Tx, i int) error {
	place, epoch := c.place(i), uint64(1)
	id, _, err := tx.Gateway(place)
	must(c.t, err)
	var seals *whos.Context
	var context uint64
	var leaves tree.Range
	for n := range uint64(c.entries) {
		at := c.began.Add(time.Duration(n) * 8 * time.Minute)
		if n%c.together == 0 {
			seals, err = whos.Begin(c.records, place.Address(), epoch)
			must(c.t, err)
			context, err = tx.AddContext(id, epoch, seals.ID(), seals.Encapsulated(), at)
			must(c.t, err)
		}
		part := whos.Part{Salt: [16]byte{byte(n)}}
		part.Who, err = wire.Who{Credential: &wire.CredentialID{1, byte(n)}, Method: wire.MethodCard}.Encode()
		must(c.t, err)
		header, err := wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "reader-1",
			Direction: wire.DirectionIn, Boot: 1, Counter: n, BootTime: n * 480e9, Wall: at.UnixMilli(), Clock: wire.ClockNTP}.Encode()
		must(c.t, err)
		hash := wire.WhoHash(part.Salt, part.Who)
		leaves = leaves.Add(tree.LeafHash(header, hash[:]))
		b := wire.Batch{Epoch: epoch, First: n, Headers: [][]byte{header}, Whos: [][]byte{hash[:]}, Root: wire.Hash(leaves.Root())}
		if n == uint64(c.entries)-1 {
			b.Signature = checkpoint.Checkpoint{Address: place.Address(), Epoch: epoch, Size: n + 1, Root: b.Root}.Sign(c.own[i])
		}
		body, err := wire.Encode(b)
		must(c.t, err)
		row := store.Batch{Gateway: id, Epoch: epoch, First: n, Next: n + 1, WallFrom: at.UnixMilli(), WallTo: at.UnixMilli(), Body: body, Context: context}
		row.Sealed, err = seals.Seal(n, []whos.Part{part})
		must(c.t, err)
		must(c.t, tx.AddBatch(row, at.Add(time.Second)))
	}
	_, err = tx.Cosign(id, epoch, leaves.Size(), wire.Hash(leaves.Root()), time.Now().Unix()-60)
	return errors.Join(err, tx.SetRange(id, epoch, leaves, time.Now()))
}

// newTownful fills the database of a registry, and starts it.
func newTownful(b *testing.B, buildings, entries, together int) (*townful, *keys.Registry) {
	c := &townful{centre: emptyCentre(b), entries: entries, together: uint64(together), began: time.Now().Add(-time.Duration(entries) * 8 * time.Minute)}
	front := filepath.Join(c.dir, "front")
	var err error
	c.issuer, err = keys.LoadPrivateKey(filepath.Join(c.dir, "issuer", authority.FileIssuer))
	must(b, err)
	private, err := keys.LoadSealKey(filepath.Join(c.dir, "offline", "records.key"))
	must(b, err)
	c.records, err = sealing.PublicOf(private)
	must(b, err)
	s, err := store.Open(b.Context(), filepath.Join(front, api.FileDatabase), zerolog.Nop())
	must(b, err)
	for i := range buildings {
		_, own, err := ed25519.GenerateKey(rand.Reader)
		must(b, err)
		c.own = append(c.own, own)
		must(b, s.Update(context.Background(), func(tx *store.Tx) error { return c.fill(tx, i) }))
	}
	must(b, s.Close())
	c.start("serve", "--config", filepath.Join(front, api.FileConfig))
	client := api.NewClient(filepath.Join(front, api.FileSocket))
	var trusts [][]byte
	c.until("the front serves", func() bool { trusts, err = client.Trusts(b.Context()); return err == nil })
	payload, p, err := wire.Read(trusts[0])
	must(b, err)
	reg := &keys.Registry{}
	reg.Trust, err = wire.DecodeTrust(p.Version, payload)
	must(b, err)
	for i, own := range c.own {
		h := wire.House{Version: 1, Issued: uint32(c.began.Unix()), District: "d1", Town: "t1", NoticeDays: 3,
			Gateways: []wire.HouseGateway{{ID: "gw-1", Public: [32]byte(own.Public().(ed25519.PublicKey)), KEM: c.records, Doors: []string{"front"}}}}
		payload, err := wire.Encode(h)
		must(b, err)
		envelope, err := wire.Sign(wire.Protected{Type: wire.TypeHouse, Role: wire.RoleIssuer, Epoch: 1, Address: c.place(i).Building, Version: wire.VersionOf(h)}, payload, c.issuer)
		must(b, err)
		_, err = client.PutHouse(b.Context(), api.Document{Building: c.place(i).Building, Envelope: envelope})
		must(b, err)
	}
	return c, reg
}

// papers signs a mandate a building for everybody's passages of its first day.
func (c *townful) papers(reg *keys.Registry, by ed25519.PrivateKey, turn int) (dir string) {
	dir = c.t.TempDir()
	_, recipient, err := sealing.GenerateKey()
	must(c.t, err)
	for i := range c.own {
		m := requisition(time.Now(), recipient)
		m.Reference = wire.ID{byte(turn), byte(i), byte(i >> 8), 1}
		r := &m.Request
		r.Building, r.Flats, r.From, r.Until = c.place(i).Building, nil, uint32(c.began.Unix()), uint32(c.began.Add(min(24*time.Hour, time.Duration(c.entries-1)*8*time.Minute)).Unix())
		envelope, err := mandates.Sign(m, reg.Trust.Registry, by)
		must(c.t, err)
		must(c.t, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), envelope, 0o600))
	}
	return dir
}

// BenchmarkCase: a case over 1,000 buildings, or GATEHOUSE_BENCH_BUILDINGS, from the mandates' files to the sealed answers and
// the summary. Each has 200 passages, a batch each as they come in a quiet house, or GATEHOUSE_BENCH_ENTRIES, of which eight, or GATEHOUSE_BENCH_CONTEXT,
// are sealed in one context, and is asked for
// the first day: 180 of them. limit is the time of what no way to answer can leave out, one building after the other: the
// hashes of the entries, the seal to the recipient, and two durable writes, of the use and of the file.
func BenchmarkCase(b *testing.B) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	c, reg := newTownful(b, number("GATEHOUSE_BENCH_BUILDINGS", 1000), number("GATEHOUSE_BENCH_ENTRIES", 200), number("GATEHOUSE_BENCH_CONTEXT", 8))
	by, _ := c.appoint(reg)
	turn := 0
	var took, cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		turn++
		papers, out := c.papers(reg, by, turn), b.TempDir()
		b.StartTimer()
		began, before := time.Now(), processor(b)
		c.ok("query", "--case", papers, "--out", out, "--key", filepath.Join(c.dir, "offline", "records.key"))
		took, cpu = took+time.Since(began), cpu+processor(b)-before
		b.StopTimer()
		if files, _ := filepath.Glob(filepath.Join(out, "*.evidence")); len(files) != len(c.own) {
			b.Fatalf("%d files", len(files))
		}
		b.StartTimer()
	}
	limit := c.limit(b)
	b.ReportMetric(limit.Seconds(), "limit-s")
	b.ReportMetric(took.Seconds()/float64(b.N)/limit.Seconds(), "x-limit")
	each := float64(b.N) * float64(len(c.own))
	b.ReportMetric(float64(took.Microseconds())/each, "us/building")
	b.ReportMetric(float64(cpu.Microseconds())/each, "cpu-us/building") // of front and command
}

// processor returns the processor's time of this process so far.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// limit does, for each building, what no way to answer can leave out, one after the other.
func (c *townful) limit(b *testing.B) time.Duration {
	_, recipient, err := sealing.GenerateKey()
	must(b, err)
	dir, day, entry := b.TempDir(), min(180, c.entries), make([]byte, 200)
	began := time.Now()
	for i := range c.own {
		leaves := make([]tlog.Hash, c.entries)
		for n := range leaves {
			leaves[n] = tree.LeafHash(entry, entry[:32])
		}
		_ = tree.Range{}.AddAll(leaves).Root()
		text := make([]byte, day*len(entry))
		_ = sha256.Sum256(text)
		sealed, err := sealing.Seal(recipient, sealing.Answer, "", text)
		must(b, err)
		for _, name := range []string{"use", "file"} {
			must(b, durable.WriteFile(filepath.Join(dir, name+strconv.Itoa(i)), sealed, 0o600))
		}
	}
	return time.Since(began)
}
