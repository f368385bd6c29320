package osdp

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/device/fault"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// installed is what a first pairing tells.
var installed = []string{"opened", "sent", "proved", "closed", "online"}

// same tells whether the reader and the store agree on one key.
func same(g *rig, s *store) bool {
	k, st := s.now(), g.peers[0].State()
	return k.Current != nil && k.Next == nil && st.Key != nil && protocol.Key(*st.Key) == *k.Current && k.Current.Weak() == nil
}

// TestInstall: a reader from its box gets a key while the window is open, and
// only then.
func TestInstall(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		p := boxed(1)
		s := p.panel.Keys.(*store)
		g := build(t, p).run()
		defer g.stop()
		g.expect(time.Minute, "seen no_key", "offline no_key")
		if err := g.bus.Readers()[0].Install(10 * time.Minute); err != nil {
			t.Fatal(err)
		}
		g.expect(3*time.Second, append(slices.Clone(installed), "cleared no_key")...)
		if !same(g, s) {
			t.Errorf("store %+v, reader %+v", s.now(), g.peers[0].State())
		}
		g.peers[0].Present(testCard(1))
		g.expect(time.Second, "card")
		g.expect(15 * time.Minute) // past the window
		if st := g.bus.Readers()[0].Status(); st.Installing || !st.Secure {
			t.Errorf("status %+v", st)
		}
	})
}

// TestWindow: it closes by itself and by order, without a reader too, and what is
// longer than ten minutes is refused.
func TestWindow(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1)).run()
		defer g.stop()
		r := g.bus.Readers()[0]
		g.expect(time.Second, "online")
		for _, d := range []time.Duration{0, -1, 10*time.Minute + 1} {
			if err := r.Install(d); err == nil {
				t.Errorf("window of %v", d)
			}
		}
		_ = r.Install(time.Minute)
		g.expect(59*time.Second, "opened")
		g.expect(2*time.Second, "closed")
		_ = r.Install(time.Minute)
		g.expect(time.Second, "opened")
		r.CloseInstall()
		g.expect(time.Second, "closed")
		_ = g.line.Unplug()
		g.expect(time.Second, "offline unplugged")
		_ = r.Install(time.Minute)
		g.expect(2*time.Minute, "opened", "closed")
	})
	bubble(t, "clear text", func(t *testing.T) {
		g := build(t, bare(1))
		if err := g.bus.Readers()[0].Install(time.Minute); err == nil {
			t.Error("a reader in the clear is given a key")
		}
	})
}

// TestReset: somebody resets the reader: it is out, and stays out until the window
// is opened.
func TestReset(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		p := keyed(1)
		s := p.panel.Keys.(*store)
		g := build(t, p).run()
		defer g.stop()
		g.expect(time.Second, "online")
		old := *s.now().Current
		g.peers[0].SetKey(nil, true)
		g.peers[0].Reboot()
		time.Sleep(time.Minute)
		heard := g.heard()
		if !slices.Equal(heard, []string{"seen wrong_key", "offline wrong_key"}) && !slices.Equal(heard, []string{"seen default_key", "offline default_key"}) {
			t.Errorf("heard %v", heard)
		}
		g.expect(time.Hour)
		if k := s.now(); k.Current == nil || *k.Current != old {
			t.Error("the old key is gone")
		}
		_ = g.bus.Readers()[0].Install(time.Minute)
		time.Sleep(10 * time.Second)
		if heard := g.heard(); !slices.Equal(heard[:5], installed) || !same(g, s) {
			t.Errorf("heard %v", heard)
		}
		if *s.now().Current == old {
			t.Error("the old key again")
		}
	})
}

// TestWrongKey: another reader in its place, with a key of its own.
func TestWrongKey(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		p := keyed(1)
		p.peer.Key = wired(testKey(99))
		g := build(t, p).run()
		defer g.stop()
		g.expect(time.Minute, "seen wrong_key", "offline wrong_key")
		if n := g.peers[0].State().Commands[protocol.CmdChallenge]; n > 30 {
			t.Errorf("%d handshakes in a minute", n)
		}
		_ = g.bus.Readers()[0].Install(time.Minute)
		g.expect(2*time.Minute, "opened", "closed")
		key := testKey(1)
		g.peers[0].SetKey(wired(key), false)
		g.expect(10*time.Second, "online", "cleared wrong_key")
	})
}

// TestRekey: the reader gets another key under the protection of its own.
func TestRekey(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		p := keyed(1)
		s := p.panel.Keys.(*store)
		g := build(t, p).run()
		defer g.stop()
		r := g.bus.Readers()[0]
		if err := r.Rekey(); !errors.Is(err, ErrOffline) {
			t.Errorf("before the session: %v", err)
		}
		g.expect(time.Second, "online")
		for range 3 {
			old := *s.now().Current
			if err := r.Rekey(); err != nil {
				t.Fatal(err)
			}
			g.expect(3*time.Second, "sent", "proved")
			if !same(g, s) || *s.now().Current == old {
				t.Error("no new key")
			}
		}
		g.peers[0].Present(testCard(1))
		g.expect(time.Second, "card")
	})
}

// TestKeySetLost: whatever becomes of KEYSET and its answer, panel and reader end
// with one key that both have.
func TestKeySetLost(t *testing.T) {
	faults := []osdptest.Fault{
		osdptest.Deaf, osdptest.Busy, osdptest.Reboot, osdptest.WrongNumber, osdptest.NumberZero,
		osdptest.Drop, osdptest.Corrupt, osdptest.Truncate, osdptest.Length, osdptest.Duplicate,
		osdptest.Late, osdptest.OtherReply, osdptest.BadMAC, osdptest.Refuse,
	}
	often := []int{1, 3, 40}[:rounds(3, 1)]
	for _, fault := range faults {
		for _, times := range often {
			for _, how := range []string{"install", "rekey"} {
				bubble(t, how+" "+fault.String(), func(t *testing.T) { keySetLost(t, how, fault, times) })
			}
		}
	}
}

func keySetLost(t *testing.T, how string, fault osdptest.Fault, times int) {
	p := boxed(1)
	if how == "rekey" {
		p = keyed(1)
	}
	s := p.panel.Keys.(*store)
	g := build(t, p).run()
	defer g.stop()
	time.Sleep(time.Second)
	g.heard()
	g.peers[0].Misbehave(osdptest.Mishap{Fault: fault, Times: times, Command: protocol.CmdKeySet})
	r := g.bus.Readers()[0]
	if how == "rekey" {
		if err := r.Rekey(); err != nil {
			t.Fatal(err)
		}
	} else if err := r.Install(10 * time.Minute); err != nil {
		t.Fatal(err)
	}
	time.Sleep(90 * time.Second)
	heard := g.heard()
	if !slices.Contains(heard, "proved") && !slices.ContainsFunc(heard, func(h string) bool { return strings.HasPrefix(h, "failed") }) {
		t.Errorf("%d times: heard %v", times, heard)
	}
	if times < 3 && !slices.Contains(heard, "proved") && fault != osdptest.Refuse {
		t.Errorf("%d times: not proved: %v", times, heard)
	}
	if slices.Contains(heard, "proved") != same(g, s) && how == "install" {
		t.Errorf("%d times: heard %v, store %+v, reader %+v", times, heard, s.now(), g.peers[0].State())
	}
	if how == "rekey" && !same(g, s) {
		t.Errorf("%d times: keys differ after %v", times, heard)
	}
}

// TestPowerCut: the daemon dies at each write of the key file, before or after
// it, and at any moment: with what is on disk the next run has the reader again.
func TestPowerCut(t *testing.T) {
	for _, how := range []string{"install", "rekey"} {
		for save := 1; save <= 2; save++ {
			for _, done := range []bool{false, true} {
				bubble(t, how, func(t *testing.T) { powerCut(t, how, save, done) })
			}
		}
		moments := rounds(40, 8)
		for moment := range moments {
			bubble(t, how, func(t *testing.T) { diesAt(t, how, time.Duration(moment)*680*time.Millisecond/time.Duration(moments)) })
		}
	}
}

var errPower = errors.New("power cut")

// powerCut dies at one write: what comes after does not happen.
func powerCut(t *testing.T, how string, save int, done bool) {
	p := boxed(1)
	if how == "rekey" {
		p = keyed(1)
	}
	disk := &store{keys: p.panel.Keys.(*store).keys}
	s := &store{keys: disk.keys}
	var g *rig
	s.fail = func(n int) error {
		if n < save {
			disk.keys = s.keys // of the write before
			return nil
		}
		g.cancel()
		return errPower
	}
	p.panel.Keys = s
	g = build(t, p).run()
	start(g, how)
	time.Sleep(10 * time.Second)
	g.stop()
	if done || s.saves > save {
		disk.keys = s.keys
	}
	again(t, g, p, s.keys, how)
}

// diesAt dies at a moment of the pairing.
func diesAt(t *testing.T, how string, moment time.Duration) {
	p := boxed(1)
	if how == "rekey" {
		p = keyed(1)
	}
	g := build(t, p).run()
	start(g, how)
	time.Sleep(moment)
	g.stop()
	again(t, g, p, p.panel.Keys.(*store).keys, how)
}

func start(g *rig, how string) {
	time.Sleep(time.Second)
	if how == "rekey" {
		if err := g.bus.Readers()[0].Rekey(); err != nil {
			g.t.Fatal(err)
		}
		return
	}
	_ = g.bus.Readers()[0].Install(time.Minute)
}

// again runs the next daemon with the keys that are on disk, against the reader as
// it is.
func again(t *testing.T, g *rig, p pair, keys Keys, how string) {
	st := g.peers[0].State()
	s := &store{keys: keys}
	p.panel.Keys = s
	p.peer.Key, p.peer.Install = st.Key, st.Install
	g = build(t, p).run()
	defer g.stop()
	time.Sleep(10 * time.Second)
	if st.Key == nil { // KEYSET never arrived: pair it again
		_ = g.bus.Readers()[0].Install(time.Minute)
		time.Sleep(10 * time.Second)
	}
	if !g.bus.Readers()[0].Status().Secure || !same(g, s) {
		t.Errorf("%s: heard %v, store %+v", how, g.heard(), s.now())
	}
}

// TestKeyStoreFails: a key that can't be saved is not sent; one that is proved and
// can't be saved is saved later.
func TestKeyStoreFails(t *testing.T) {
	full := errors.New("disk full")
	bubble(t, "before it is sent", func(t *testing.T) {
		p := boxed(1)
		s := p.panel.Keys.(*store)
		s.fail = func(int) error { return full }
		g := build(t, p).run()
		defer g.stop()
		time.Sleep(time.Second)
		g.heard()
		_ = g.bus.Readers()[0].Install(time.Minute)
		time.Sleep(10 * time.Second)
		heard := g.heard()
		if slices.Contains(heard, "sent") || !slices.Contains(heard, "failed io_error") || !slices.Contains(heard, "closed") || g.peers[0].State().Key != nil {
			t.Errorf("heard %v", heard)
		}
		if f := g.bus.Readers()[0].Status().KeyFault; f != fault.IO {
			t.Errorf("why the key failed: %v", f)
		}
		if _ = g.bus.Readers()[0].Install(time.Minute); g.bus.Readers()[0].Status().KeyFault != fault.None {
			t.Error("another window still tells of the key before")
		}
	})
	bubble(t, "after it was proved", func(t *testing.T) {
		p := boxed(1)
		s := p.panel.Keys.(*store)
		s.fail = func(n int) error {
			if n == 2 {
				return full
			}
			return nil
		}
		g := build(t, p).run()
		defer g.stop()
		time.Sleep(time.Second)
		_ = g.bus.Readers()[0].Install(time.Minute)
		time.Sleep(30 * time.Second)
		if !same(g, s) || !g.bus.Readers()[0].Status().Secure {
			t.Errorf("heard %v, store %+v", g.heard(), s.now())
		}
	})
	bubble(t, "load", func(t *testing.T) {
		p := keyed(1)
		p.panel.Keys.(*store).load = full
		g := build(t, p).run()
		defer g.stop()
		g.expect(time.Minute, "seen no_key", "offline no_key")
		s := p.panel.Keys.(*store)
		s.mu.Lock()
		s.load = nil
		s.mu.Unlock()
		g.expect(10*time.Second, "online", "cleared no_key")
	})
	standard := protocol.DefaultKey()
	for name, change := range map[string]func(*Keys){
		"weak":      func(k *Keys) { k.Current = &standard },
		"weak next": func(k *Keys) { k.Next = &standard },
	} {
		bubble(t, name, func(t *testing.T) {
			p := keyed(1)
			p.peer.Install = true
			change(&p.panel.Keys.(*store).keys)
			g := build(t, p).run()
			defer g.stop()
			g.expect(time.Minute, "seen weak_key", "offline weak_key")
			if st := g.peers[0].State(); st.Sessions > 0 {
				t.Error("a session with a weak key")
			}
		})
	}
}
