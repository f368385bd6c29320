package uplink

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// makeList returns a signed list of a version in 2^bits buckets, each with n
// grants.
func (w *world) makeList(version uint64, bits uint8, n int) (manifest []byte, buckets [][]byte) {
	m := wire.Manifest{Format: wire.ListFormat, Version: version, Issued: 1, Bits: bits, Doors: []string{"front"}, DoorSets: [][]uint16{{0}}}
	for i := range 1 << bits {
		var list []wire.Grant
		for j := range n {
			c := wire.CredentialID{1}
			if bits > 0 {
				c[1] = byte(i << (8 - bits))
			}
			c[2], c[3] = byte(j>>8), byte(j)
			list = append(list, wire.Grant{Credential: c, ID: wire.ID{byte(version)}, Tenancy: wire.ID{1}, Kind: wire.GrantResident, State: wire.GrantActive})
		}
		b, err := wire.EncodeBucket(list)
		if err != nil {
			w.t.Fatal(err)
		}
		buckets = append(buckets, b)
		m.Buckets = append(m.Buckets, sha256.Sum256(b))
	}
	payload, err := m.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	return sign(wire.TypeGrantList, wire.RoleIssuer, w.place.Building, payload, w.keys.issuer), buckets
}

// publishList makes a list the registry's newest.
func (w *world) publishList(version uint64, bits uint8, n int, push bool) {
	manifest, buckets := w.makeList(version, bits, n)
	w.reg.mu.Lock()
	defer w.reg.mu.Unlock()
	w.reg.list, w.reg.version = wire.ListPart{Manifest: manifest}, version
	for _, b := range buckets {
		w.reg.buckets[sha256.Sum256(b)] = b
	}
	if push {
		w.broker.Inject(mqtt.Message{Topic: w.place.Down(wire.TypeList), Payload: w.reg.sign(wire.TypeList, wire.ListPart{Manifest: manifest})})
	}
}

func applied(version uint64) func(wire.Header) bool {
	return func(h wire.Header) bool { return h.Kind == wire.KindListApplied && h.Count == version }
}

// TestListComes: pushed or named by an ack, whole or in parts, through a broker
// that loses most of it: it is active in the end, and the journal proves it.
func TestListComes(t *testing.T) {
	for name, c := range map[string]struct {
		bits uint8
		push bool
		bad  faultnet.Misdeeds
	}{
		"pushed":            {0, true, faultnet.Misdeeds{}},
		"named by an ack":   {0, false, faultnet.Misdeeds{}},
		"of 512 buckets":    {9, false, faultnet.Misdeeds{}},
		"through a bad one": {4, true, faultnet.Misdeeds{Drop: 0.5, Duplicate: 0.5, Reorder: 0.5, Replay: 0.2, Delay: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				if !w.settle(time.Minute) {
					t.Fatal("not in step")
				}
				w.broker.Set(c.bad)
				w.publishList(5, c.bits, 3, c.push)
				w.append(1) // its ack names the list
				time.Sleep(30 * time.Minute)
				if c.bad.Drop > 0 { // there is no time within which luck must turn
					for end := time.Now().Add(48 * time.Hour); w.ring.Lists().Version != 5 && time.Now().Before(end); {
						time.Sleep(30*time.Minute + time.Second)
					}
				}
				if v := w.ring.Lists().Version; v != 5 {
					t.Fatalf("version %d active", v)
				}
				if n := w.count(applied(5)); n != 1 {
					t.Errorf("%d entries that it was applied", n)
				}
				w.heal()
				if !w.settle(5 * time.Minute) {
					t.Fatal("not in step")
				}
				if s := w.uplink.Status(); s.List != 5 || !s.Withheld.IsZero() {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

// TestNewerListMeanwhile: a list that is overtaken while its parts come is left,
// and what came of it is used.
func TestNewerListMeanwhile(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.reg.mu.Lock()
		w.reg.withheld = true // buckets of the first are not to be had
		w.reg.mu.Unlock()
		w.publishList(1, 3, 2, true)
		time.Sleep(time.Minute)
		w.reg.mu.Lock()
		w.reg.withheld = false
		w.reg.mu.Unlock()
		w.publishList(2, 2, 2, true)
		time.Sleep(time.Hour)
		w.ring.mu.Lock()
		defer w.ring.mu.Unlock()
		if got := w.ring.applied; len(got) != 1 || got[0] != 2 {
			t.Errorf("applied %v, want 2 alone", got)
		}
	})
}

// TestWithheldListShows: the ack names a version that does not come.
func TestWithheldListShows(t *testing.T) {
	bubble(t, func(w *world) {
		w.reg.withheld = true
		w.publishList(7, 0, 1, false)
		w.append(1)
		time.Sleep(time.Hour)
		if s := w.uplink.Status(); s.List != 7 || s.Withheld.IsZero() || time.Since(s.Withheld) < 59*time.Minute {
			t.Errorf("%+v", s)
		}
	})
}

// TestLostListIsNotWaitedFor: the registry was put back to before the list that it had
// named last: once it answers another hello, the gateway waits for that list no more, nor for the rest
// of its buckets, and takes the next one, which has a lower number.
func TestLostListIsNotWaitedFor(t *testing.T) {
	bubble(t, func(w *world) {
		w.publishList(3, 0, 1, true)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.reg.mu.Lock()
		w.reg.withheld = true
		w.reg.mu.Unlock()
		w.publishList(22, 0, 2, true)
		w.append(1)
		time.Sleep(time.Minute)
		if s := w.uplink.Status(); s.List != 22 || s.Withheld.IsZero() || s.State != StateUnproved {
			t.Fatalf("%+v", s)
		}
		w.link.Cut()
		time.Sleep(time.Minute)
		w.reg.mu.Lock()
		w.reg.withheld = false
		clear(w.reg.buckets)
		w.reg.mu.Unlock()
		w.publishList(3, 0, 1, false)
		w.link.Restore()
		if !w.settle(2 * time.Minute) {
			t.Errorf("it waits for what is lost: %+v", w.uplink.Status())
		}
		if s := w.uplink.Status(); s.List != 3 || !s.Withheld.IsZero() {
			t.Errorf("%+v", s)
		}
		w.publishList(4, 0, 1, true)
		if !w.settle(time.Minute) || w.ring.Lists().Version != 4 {
			t.Errorf("%+v", w.uplink.Status())
		}
	})
}

// TestRolledBackList: yesterday's list, signed by an issuer and carried by the
// witness, is refused and recorded.
func TestRolledBackList(t *testing.T) {
	bubble(t, func(w *world) {
		w.publishList(3, 0, 1, true)
		time.Sleep(time.Minute)
		w.publishList(2, 0, 2, true)
		time.Sleep(time.Minute)
		if v := w.ring.Lists().Version; v != 3 {
			t.Errorf("version %d active", v)
		}
		if n := w.count(is(wire.KindRefused, wire.OutcomeRefused, wire.ReasonRolledBack)); n != 1 {
			t.Errorf("%d entries that it was refused", n)
		}
	})
}

// TestRefusedBeforeApplied: what was refused before a list came into force is entered
// before that, though its pause is not over: the registry takes what is entered last for
// how it stands.
func TestRefusedBeforeApplied(t *testing.T) {
	bubble(t, func(w *world) {
		w.publishList(3, 0, 1, true)
		time.Sleep(time.Minute)
		for range 3 {
			w.publishList(2, 0, 2, true)
			time.Sleep(time.Second)
		}
		w.publishList(4, 0, 1, true)
		time.Sleep(2 * time.Hour)
		var last wire.Kind
		refused := uint64(0)
		w.count(func(h wire.Header) bool {
			if h.Kind == wire.KindRefused {
				refused += h.Count
			}
			if h.Kind == wire.KindRefused || h.Kind == wire.KindListApplied {
				last = h.Kind
			}
			return false
		})
		if v := w.ring.Lists().Version; v != 4 || refused < 3 || last != wire.KindListApplied {
			t.Errorf("list %d is active, %d were refused, and the last entry of it is a %v", v, refused, last)
		}
	})
}

// TestBucketsThatNobodyNamed are not kept and do no harm.
func TestBucketsThatNobodyNamed(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		manifest, buckets := w.makeList(1, 1, 2)
		junk := wire.ListPart{Manifest: manifest, Buckets: [][]byte{[]byte("junk"), buckets[0], buckets[0], []byte("more")}}
		w.broker.Inject(mqtt.Message{Topic: w.place.Down(wire.TypeList), Payload: w.reg.sign(wire.TypeList, junk)})
		time.Sleep(time.Second)
		if v := w.ring.Lists().Version; v != 0 {
			t.Fatalf("version %d active with half of it", v)
		}
		rest := wire.ListPart{Manifest: manifest, Buckets: buckets[1:]}
		w.broker.Inject(mqtt.Message{Topic: w.place.Down(wire.TypeList), Payload: w.reg.sign(wire.TypeList, rest)})
		time.Sleep(time.Second)
		if v := w.ring.Lists().Version; v != 1 {
			t.Errorf("version %d active", v)
		}
	})
}

// TestDocuments: a trust or house document that an ack names is fetched, judged
// by the keyring and recorded.
func TestDocuments(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		trust, err := wire.Encode(w.keys.trust(2))
		if err != nil {
			t.Fatal(err)
		}
		house, err := wire.Encode(w.keys.house(4))
		if err != nil {
			t.Fatal(err)
		}
		w.reg.mu.Lock()
		w.reg.down[wire.TypeTrust] = sign(wire.TypeTrust, wire.RoleRoot, "registry", trust, w.keys.root)
		w.reg.down[wire.TypeHouse] = sign(wire.TypeHouse, wire.RoleIssuer, "b", house, w.keys.issuer)
		w.reg.versions = [2]uint64{4, 2}
		w.reg.mu.Unlock()
		w.append(1)
		time.Sleep(time.Minute)
		activeTrust, activeHouse := w.ring.Trust(), w.ring.House()
		if activeTrust.Version != 2 || activeHouse.Version != 4 {
			t.Errorf("trust %d, house %d active", activeTrust.Version, activeHouse.Version)
		}
		for kind, version := range map[string]uint64{wire.TypeTrust: 2, wire.TypeHouse: 4} {
			n := w.count(func(h wire.Header) bool {
				return h.Kind == wire.KindAuthority && h.Source == kind && h.Count == version
			})
			if n != 1 {
				t.Errorf("%d entries of %s", n, kind)
			}
		}
	})
}

// TestAlarmGoesBeforeTheBacklog: a door that is forced is told at once, again
// until its entry is stored, and then no more.
func TestAlarmGoesBeforeTheBacklog(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.broker.Set(faultnet.Misdeeds{Deny: func(_ string, a faultnet.Access, topic string) bool {
			return a == faultnet.Publish && topic == w.place.Up(wire.TypeBatch)
		}})
		w.append(5)
		w.journal.Queue(wire.Header{Kind: wire.KindForced, Door: "front"}, wire.Who{})
		time.Sleep(25 * time.Second)
		told := func(kind wire.Kind) (n int) {
			w.reg.mu.Lock()
			defer w.reg.mu.Unlock()
			for b, times := range w.reg.notices {
				if h, err := wire.DecodeHeader([]byte(b)); err == nil && h.Kind == kind {
					n += times
				}
			}
			return n
		}
		if n := told(wire.KindForced); n != 3 {
			t.Errorf("told %d times in 25 s, want at 0, 5 and 20 s", n)
		}
		if n := told(wire.KindAccess); n != 0 {
			t.Errorf("%d notices of what is no alarm", n)
		}
		w.broker.Set(faultnet.Misdeeds{})
		if !w.settle(5 * time.Minute) {
			t.Fatal("not in step")
		}
		before := told(wire.KindForced)
		time.Sleep(time.Hour)
		if n := told(wire.KindForced); n != before {
			t.Errorf("told %d times more after its entry was stored", n-before)
		}
	})
}

// TestBuildingKeyFromASibling: a gateway without the key says so, and the one
// that has it seals it to the public key that the House document names.
func TestBuildingKeyFromASibling(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		other := wire.Place{District: "d", Town: "t", Building: "b", Gateway: "other"}
		key := ed25519.NewKeyFromSeed(append(make([]byte, 31), 7))
		private, public, err := sealing.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		own := wire.HouseGateway{ID: "g", Public: [32]byte(publicOf(w.keys.gateway)), KEM: w.keys.kemPublic}
		house := w.keys.house(2, own, wire.HouseGateway{ID: "other", Public: [32]byte(publicOf(key)), KEM: public})
		b, err := wire.Encode(house)
		if err != nil {
			t.Fatal(err)
		}
		document := sign(wire.TypeHouse, wire.RoleIssuer, "b", b, w.keys.issuer)
		w.broker.Inject(mqtt.Message{Topic: w.place.Down(wire.TypeHouse), Payload: document})

		ring := w.keys.ring(other)
		ring.reg.KEM, ring.status.HasKey, ring.status.KeyNumber, ring.reg.House = private, false, 0, house
		link := w.broker.Connect(faultnet.Client{Name: "other", Subscribe: []string{other.Down("+"), other.House("+")}})
		u, err := New(Options{Link: link, Place: ring.reg.Place, Registry: ring.reg.Name, Journal: w.journal, Keyring: ring, Key: key, Clock: w.stamp, Log: w.log()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { _ = u.Run(ctx); close(ended) }()
		time.Sleep(2 * time.Minute)
		if string(ring.taken) != "building key" {
			t.Error("the key did not come")
		}
		stop()
		<-ended
	})
}

// TestBuildingKeyNowhere: that no gateway of the building has its key shows once each other
// one has said so, and no more as soon as one says that it has it.
func TestBuildingKeyNowhere(t *testing.T) {
	others := []wire.Place{{District: "d", Town: "t", Building: "b", Gateway: "other"}, {District: "d", Town: "t", Building: "b", Gateway: "third"}}
	key := func(n int) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(append(make([]byte, 31), byte(7+n))) }
	bubble(t, func(w *world) {
		house := w.keys.house(2, wire.HouseGateway{ID: "g", Public: [32]byte(publicOf(w.keys.gateway)), KEM: w.keys.kemPublic})
		for n, o := range others {
			house.Gateways = append(house.Gateways, wire.HouseGateway{ID: o.Gateway, Public: [32]byte(publicOf(key(n))), KEM: w.keys.kemPublic})
		}
		w.ring.mu.Lock()
		w.ring.status.HasKey, w.ring.status.KeyNumber = false, 0
		w.ring.reg.House = house
		w.ring.mu.Unlock()
		for _, step := range []struct {
			who    int
			number uint8
			want   bool
		}{{0, 0, false}, {1, 0, true}, {0, 1, false}, {0, 0, true}} {
			payload, err := wire.Encode(wire.Roll{KeyNumber: step.number})
			if err != nil {
				t.Fatal(err)
			}
			from := others[step.who]
			w.broker.Inject(mqtt.Message{Topic: from.House(from.Gateway), Payload: sign(wire.TypeRoll, wire.RoleGateway, from.Address(), payload, key(step.who))})
			time.Sleep(time.Second)
			if got := w.uplink.Status().KeyNowhere; got != step.want {
				t.Errorf("after %s said number %d: nowhere %v", from.Gateway, step.number, got)
			}
		}
		w.ring.mu.Lock()
		w.ring.status.HasKey, w.ring.status.KeyNumber = true, 1
		w.ring.mu.Unlock()
		time.Sleep(time.Minute + time.Second)
		if w.uplink.Status().KeyNowhere {
			t.Error("nowhere, although it is here")
		}
	})
}
