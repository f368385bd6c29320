package front

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// seal is what the model of a gateway seals; no key opens it.
var seal = bytes.Repeat([]byte("seal of a person"), 4)

// has reports whether some file of the front has the seal.
func (s *scene) has() bool {
	s.t.Helper()
	found := false
	s.must(filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, seal)
		return err
	}))
	return found
}

// TestFrontForgets: a front whose clock is good erases who passed when the configured days are over, says so in its
// status, still shows the entries with their hashes, and takes and acks what continues them.
func TestFrontForgets(t *testing.T) {
	begin := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	s, now := clockedScene(t, begin)
	pass := func() {
		s.pass(time.UnixMilli(now.Load()), 0, wire.ClockNTP, time.Hour)
		b := s.g.batch(len(s.g.headers)-1, 1)
		b.Sealed = seal
		s.at(s.ask(wire.TypeBatch, b), 7, uint64(len(s.g.headers)))
	}
	pass()
	again := func(days int) api.Retention {
		s.front.stop()
		now.Store(begin.Add(time.Duration(days) * 24 * time.Hour).UnixMilli())
		link, make := newMemory()
		s.link = link
		c := s.config()
		c.WhoDays, c.MaxMB = 10, 1
		s.front = s.start(Options{Config: c, Link: make, Now: func() time.Time { return time.UnixMilli(now.Load()) }})
		var st api.Status
		s.until("it looks for what is over", func() bool {
			var err error
			st, err = s.front.client.Status(t.Context())
			s.must(err)
			return st.Retention.Last != nil
		})
		return st.Retention
	}
	if r := again(9); r.Erased != 0 || !s.has() {
		t.Errorf("after 9 days %+v", r)
	}
	if r := again(11); r.Erased != 1 || r.Passages != 240*time.Hour {
		t.Errorf("after 11 days %+v", r)
	}
	s.until("the bytes go", func() bool { return !s.has() })
	if st, err := s.front.client.Status(t.Context()); err != nil || st.Disk == 0 || st.Full != int(st.Bytes*100>>20) || (st.Full >= 80) != strings.Contains(strings.Join(st.Problems, " "), "of max_mb in front.toml") {
		t.Errorf("it says %d %% of 1 MiB, disk %d %%, %q, %v", st.Full, st.Disk, st.Problems, err)
	}
	pass()
	if all := s.entries(api.EntryFilter{}); len(all) != 2 || !bytes.Equal(all[0].WhoHash, s.g.whos[0]) || !s.has() {
		t.Errorf("entries %+v", all)
	}
}
