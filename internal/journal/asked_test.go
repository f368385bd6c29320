package journal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/evidence"
	"gatehouse/internal/holds"
	"gatehouse/internal/inquiry"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// The power is cut while mandates are answered from this log: before an entry of a query, between it and its answer, after that. Whoever has an
// answer finds its entry, and gets the same answer again under the same use; a use whose answer never came can be asked for, and is counted once.

// envOffice names a file with the keys of the office and of a recipient.
const envOffice = "GATEHOUSE_JOURNAL_OFFICE"

// answersEach is how often each mandate is answered, papers how many there are.
const (
	answersEach = 4
	papers      = 3
)

// officeKeys are of the office, which reads entries of queries, and of a recipient.
type officeKeys struct{ Private, Records, Inbox, Recipient []byte }

// askedFor is an answer that was handed out.
type askedFor struct {
	Entry wire.Ref
	Paper byte
	Use   uint64
	Sums  []wire.Hash
}

func seeded(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// whenAsked is an hour after a test's clock begins.
const whenAsked = 1_795_392_000 + 3600

// asker is a desk on a journal, which notes the entry of each query.
type asker struct {
	*Journal
	*inquiry.Desk
	keys  officeKeys
	entry wire.Ref
}

// Append is the journal's, and keeps what it returned.
func (a *asker) Append(ctx context.Context, h wire.Header, who wire.Who) (ref wire.Ref, err error) {
	a.entry, err = a.Journal.Append(ctx, h, who)
	return a.entry, err
}

// newAsker makes a desk. Its holds lie beside the journal: they are no part of this.
func newAsker(j *Journal, keys officeKeys) (*asker, error) {
	moment := inquiry.Moment{Wall: time.Unix(whenAsked, 0), BootTime: time.Hour, Quality: wire.ClockNTP, Interval: trueclock.Interval{Sure: whenAsked, Lo: whenAsked, Hi: whenAsked}}
	book, err := holds.OpenBook(holds.Options{Path: j.files.o.Dir + ".holds", Doors: []string{"front"}, Kept: func() time.Duration { return 30 * 24 * time.Hour },
		Now: func() holds.Moment {
			return holds.Moment{Wall: moment.Wall, Boot: moment.BootTime, Interval: moment.Interval}
		}})
	if err != nil {
		return nil, err
	}
	public := func(n byte) [32]byte { return [32]byte(seeded(n).Public().(ed25519.PublicKey)) }
	trust := wire.Trust{Version: 1, Issued: 1, Registry: "city", CAs: [][]byte{{1}}, Records: keys.Records, Desk: keys.Records, Escrow: keys.Records,
		Keys:      []wire.RoleKey{{Role: wire.RoleIssuer, Public: public(3)}, {Role: wire.RoleWitness, Public: public(5)}},
		Approvers: []approver.Approver{{Seat: "xin-1", Public: public(1), District: "north", Town: "xin"}}}
	house := wire.House{Version: 1, Issued: 1, District: "north", Town: "xin", Gateways: []wire.HouseGateway{{ID: "gate-1", Public: public(4), KEM: keys.Records, Doors: []string{"front"}}}}
	of := inquiry.House{Place: wire.Place{District: "north", Town: "xin", Building: "house-1", Gateway: "gate-1"}, Root: seeded(2).Public().(ed25519.PublicKey), Trust: trust,
		Key: seeded(4), Doors: []evidence.Door{{ID: "front", Contact: true}}, Zone: time.UTC, Software: "test"}
	for i, p := range []struct {
		wire.Protected
		wire.Payload
		by byte
	}{{wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "city"}, trust, 2}, {wire.Protected{Type: wire.TypeHouse, Role: wire.RoleIssuer, Address: "house-1"}, house, 3}} {
		body, err := wire.Encode(p.Payload)
		p.Version = wire.VersionOf(p.Payload)
		envelope, err2 := wire.Sign(p.Protected, body, seeded(p.by))
		if of.Papers[i] = envelope; errors.Join(err, err2) != nil {
			return nil, errors.Join(err, err2)
		}
	}
	a := &asker{Journal: j, keys: keys}
	a.Desk = inquiry.New(inquiry.Sources{Log: a, House: func() inquiry.House { return of }, Now: func() inquiry.Moment { return moment }, Holds: book,
		Tenancies: func([]string) []wire.ID { return nil }, Card: func(context.Context) ([]wire.CredentialID, error) { return nil, nil }})
	return a, nil
}

// askFor asks under a paper; use 0 is a new answer.
func (a *asker) askFor(ctx context.Context, paper byte, use uint64) (inquiry.Answer, error) {
	envelope, err := mandates.Sign(mandates.Mandate{Reference: wire.ID{9, paper}, Status: mandates.Active, Issued: whenAsked, Expires: whenAsked + 3600, Answers: answersEach,
		Request: mandates.Request{District: "north", Town: "xin", Building: "house-1", From: whenAsked - 3700, Until: whenAsked,
			Gateways: []mandates.Gateway{{ID: "gate-1", Doors: []string{"front"}}}},
		Delivery: mandates.Delivery{Recipient: a.keys.Recipient, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "新镇派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "北区分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{7}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{8}}},
			Purpose:  "入室盗窃案侦查", Case: "A440000-2026-1", Notice: "调证-2026-1"}}, "city", seeded(1))
	if err != nil {
		return inquiry.Answer{}, err
	}
	return a.Ask(ctx, envelope, use)
}

// childAsked is a gateway whose log is asked again and again while people pass. It prints the entry of each query once it has the answer,
// and leaves what it answered beside the journal.
func childAsked() {
	dir := os.Getenv(envDir)
	var keys officeKeys
	text, err := os.ReadFile(os.Getenv(envOffice))
	if err = errors.Join(err, json.Unmarshal(text, &keys)); err != nil {
		panic(err)
	}
	j, err := Open(Options{Dir: dir, Clock: newClock().stamp, Ballast: -1, Anchors: besides(dir), MaxEntries: 16, Log: zerolog.Nop()})
	if err != nil {
		panic(err)
	}
	j.files.ahead = 6000 // it is filled and emptied beside the queries
	if os.Getenv(envSin) == "late" {
		j.files.lateSync, j.files.fault = true, syncLate(filepath.Join(dir, ahead.Name))
	}
	a, err := newAsker(j, keys)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		var out []askedFor
		for i := range byte(papers * answersEach) {
			for n := range 3 {
				j.Queue(granted(), somebody(3*i+byte(n)))
			}
			answer, err := a.askFor(ctx, i%papers, 0)
			if err != nil {
				panic(err)
			}
			out = append(out, askedFor{a.entry, i % papers, answer.Use, answer.Sums})
			fmt.Printf("%d %d\n", a.entry.Boot, a.entry.Counter)
		}
		text, err := json.Marshal(out)
		if err = errors.Join(err, os.WriteFile(os.Getenv(envOffice)+".answers", text, 0o600)); err != nil {
			panic(err)
		}
	}()
	if err := j.Run(ctx); err != nil {
		panic(err)
	}
}

// recordAsked records one, and returns what it answered.
func recordAsked(t *testing.T, sin string) (rec recording, out []askedFor, keys officeKeys) {
	t.Helper()
	var errs [2]error
	keys.Private, keys.Records, errs[0] = sealing.GenerateKey()
	keys.Inbox, keys.Recipient, errs[1] = sealing.GenerateKey()
	office := filepath.Join(t.TempDir(), "office")
	text, err := json.Marshal(keys)
	if err = errors.Join(append(errs[:], err, os.WriteFile(office, text, 0o600))...); err != nil {
		t.Fatal(err)
	}
	rec, _ = traced(t, func(dir string) []string {
		return append(os.Environ(), childEnv+"=asked", envDir+"="+dir, envSin+"="+sin, envOffice+"="+office)
	})
	if text, err = os.ReadFile(office + ".answers"); err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil || len(out) != papers*answersEach || len(rec.acks) != len(out) {
		t.Fatalf("%d answers, %d of them told (%v)", len(out), len(rec.acks), err)
	}
	return rec, out, keys
}

// asksAgain starts the journal of an image and holds it to what was handed out. It returns how many uses are in the log whose
// answer nobody had got.
func asksAgain(dir string, keys officeKeys, told []askedFor) (unheard int, err error) {
	j, err := Open(Options{Dir: dir, Clock: newClock().stamp, Ballast: -1, Anchors: besides(dir), MaxEntries: 16, Log: zerolog.Nop()})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = j.Run(ctx) })
	defer running.Wait()
	defer cancel()
	a, err := newAsker(j, keys)
	if err != nil {
		return 0, err
	}
	for paper := range byte(papers) {
		had := uint64(0)
		for _, one := range told {
			if one.Paper != paper {
				continue
			}
			had = max(had, one.Use)
			if again, err := a.askFor(ctx, paper, one.Use); err != nil || again.Use != one.Use || !again.Again || !slices.Equal(again.Sums, one.Sums) {
				return 0, fmt.Errorf("use %d of paper %d, which was answered: use %d, the same bytes %v (%w)", one.Use, paper, again.Use, slices.Equal(again.Sums, one.Sums), err)
			}
		}
		more, err := a.askFor(ctx, paper, had+1)
		switch {
		case errors.Is(err, inquiry.ErrNoUse):
		case err != nil || more.Use != had+1 || len(more.Files) == 0:
			return 0, fmt.Errorf("use %d of paper %d, of which the log alone tells: use %d (%w)", had+1, paper, more.Use, err)
		default:
			unheard, had = unheard+1, had+1
		}
		if next, err := a.askFor(ctx, paper, 0); had < answersEach && (err != nil || next.Use != had+1) || had == answersEach && err == nil {
			return 0, fmt.Errorf("after %d of %d uses of paper %d: use %d (%w)", had, answersEach, paper, next.Use, err)
		}
	}
	return unheard, nil
}

// cutAsked cuts the power just after an answer, or at any moment, and asks again.
func cutAsked(rec recording, out []askedFor, keys officeKeys, dir string, rng *rand.Rand) (unheard int, err error) {
	at := rng.IntN(rec.lines)
	if rng.IntN(3) == 0 {
		at = rec.acks[rng.IntN(len(rec.acks))].start
	}
	if err := writeImage(dir, rec.image(at, rng)); err != nil {
		return 0, err
	}
	told := out[:len(rec.ackedAt(at))]
	if err := (known{}).lookAt(dir, rec.ackedAt(at)); err != nil {
		return 0, err
	}
	return asksAgain(dir, keys, told)
}

func TestReplayAsked(t *testing.T) {
	needStrace(t)
	cuts := 200
	if full() {
		cuts = 4000
	} else if testing.Short() {
		cuts = 60
	}
	rec, out, keys := recordAsked(t, "")
	dir, rng, unheard := filepath.Join(shm(t), "image"), rand.New(rand.NewPCG(15, 2026)), 0
	for i := range cuts {
		n, err := cutAsked(rec, out, keys, dir, rng)
		if err != nil {
			t.Fatalf("cut %d: %v", i, err)
		}
		unheard += n
	}
	if unheard == 0 {
		t.Error("no cut came between an entry and its answer")
	}
	t.Logf("%d power cuts among %d calls, %d answers; %d cuts between an entry and its answer", cuts, rec.lines, len(out), unheard)
}

// A gateway that answers before its entry is on the disk must be caught.
func TestReplayAskedControl(t *testing.T) {
	needStrace(t)
	rec, out, keys := recordAsked(t, "late")
	dir, rng := filepath.Join(shm(t), "image"), rand.New(rand.NewPCG(16, 2026))
	for i := range 400 {
		if _, err := cutAsked(rec, out, keys, dir, rng); errors.Is(err, errLost) {
			t.Logf("caught at cut %d: %v", i, err)
			return
		}
	}
	t.Fatal("a gateway that answers before its entry is on the disk was not caught")
}
