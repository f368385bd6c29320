package front

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

// upload sends a backup with a gateway's word on it.
func (s *scene) upload(envelope, body []byte) (int, string) {
	s.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(s.ca)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "https://"+s.front.enrol+"/v1/snapshot", bytes.NewReader(body))
	s.must(err)
	r.Header.Set("Gatehouse-Snapshot", base64.RawURLEncoding.EncodeToString(envelope))
	res, err := c.Do(r)
	s.must(err)
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	s.must(err)
	return res.StatusCode, strings.TrimSpace(string(said))
}

// patient is a front that answers one address as often as a test asks.
func (s *scene) patient() *scene {
	s.front.stop()
	link, make := newMemory()
	c := s.config()
	c.EnrolPerMinute = 1000
	s.link, s.front = link, s.start(Options{Config: c, Link: make})
	return s
}

// TestSnapshots: a member's backup is kept whole and durably, is named without being sent
// again, and goes to whoever the issuer lets have it, byte for byte.
func TestSnapshots(t *testing.T) {
	s := newScene(t).patient()
	data := bytes.Repeat([]byte("sealed "), 100_000)
	word := func(data []byte) []byte {
		envelope, err := snapshot.Of(data, 1_700_000_000).Sign("b1/g1", s.g.key)
		s.must(err)
		return envelope
	}
	if status, said := s.upload(word(data), nil); status != 200 || said != `{"kept":false}` {
		t.Errorf("named before it was sent: %d %s", status, said)
	}
	for range 2 {
		if status, said := s.upload(word(data), data); status != 200 || said != `{"kept":true}` {
			t.Fatalf("sent: %d %s", status, said)
		}
	}
	s.front.stop()
	s.patient()
	if status, said := s.upload(word(data), nil); status != 200 || said != `{"kept":true}` {
		t.Errorf("named after a restart: %d %s", status, said)
	}
	s.issue(func(e api.Enrolment) api.Answer {
		if e.Kind != api.KindSnapshot || e.Proof[0] != 0x5a {
			return api.Answer{Error: "not the newest token", Hint: "ask"}
		}
		return api.Answer{}
	})
	ask := func(gateway, proof, turn string) (int, string) {
		status, body, _ := s.https("/v1/snapshot/fetch", []byte(`{"building":"b1","gateway":"`+gateway+`","proof":"`+strings.Repeat(proof, 32)+`","turn":`+turn+`}`))
		return status, body
	}
	if status, body := ask("g1", "5a", "0"); status != 200 || body != string(data) {
		t.Errorf("fetched: %d, %d bytes", status, len(body))
	}
	for _, c := range []struct {
		gateway, proof, turn string
		status               int
	}{{"g1", "5a", "1", 404}, {"g1", "5a", "-1", 404}, {"g2", "5a", "0", 404}, {"g1", "00", "0", 403}, {"g1", "5", "0", 403}, {"G 1", "5a", "0", 403}} {
		if status, body := ask(c.gateway, c.proof, c.turn); status != c.status || !strings.Contains(body, "error") {
			t.Errorf("%+v: %d %s", c, status, body)
		}
	}
	all, err := s.front.client.Snapshots(t.Context(), "")
	if err != nil || len(all) != 1 || all[0].Size != len(data) || all[0].Fetched.IsZero() || all[0].Removed {
		t.Errorf("listed: %+v, %v", all, err)
	}
	got, err := s.front.client.Snapshot(t.Context(), "b1", "g1", 0)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("exported: %d bytes, %v", len(got), err)
	}
	s.must(s.front.client.DropSnapshots(t.Context(), api.Place{Building: "b1", Gateway: "g1"}))
	var fail *api.Error
	if _, err = s.front.client.Snapshot(t.Context(), "b1", "g1", 0); !errors.As(err, &fail) || fail.Status != 404 || fail.Hint == "" {
		t.Errorf("dropped: %v", err)
	}
}

// TestHostileSnapshots: of what no member has said, of what is not as it was said, and of more
// than a day may have, nothing is kept.
func TestHostileSnapshots(t *testing.T) {
	s := newScene(t).patient()
	data := []byte("sealed")
	of := func(data []byte) snapshot.Snapshot { return snapshot.Of(data, 1_700_000_000) }
	sign := func(n snapshot.Snapshot, address string) []byte {
		envelope, err := n.Sign(address, s.g.key)
		s.must(err)
		return envelope
	}
	stranger, err := of(data).Sign("b1/g1", newKey(t))
	s.must(err)
	good := sign(of(data), "b1/g1")
	large := of(data)
	large.Size++
	for name, c := range map[string]struct {
		envelope, body []byte
		want           int
	}{
		"a stranger":           {stranger, data, 403},
		"an unknown gateway":   {sign(of(data), "b1/g7"), data, 403},
		"no word":              {nil, data, 403},
		"half a word":          {good[:len(good)-1], data, 403},
		"another message":      {s.envelope(wire.TypeRenew, wire.RoleGateway, 0, "b1/g1", []byte{1}, s.g.key), data, 403},
		"not a snapshot":       {s.envelope(wire.TypeSnapshot, wire.RoleGateway, 0, "b1/g1", []byte{1}, s.g.key), data, 403},
		"another backup":       {good, []byte("sealeD"), 400},
		"half a backup":        {good, data[:3], 400},
		"more than a backup":   {good, append(bytes.Clone(data), 0), 400},
		"a size that is wrong": {sign(large, "b1/g1"), data, 400},
	} {
		if status, said := s.upload(c.envelope, c.body); status != c.want || !strings.Contains(said, "error") {
			t.Errorf("%s: %d %s, want %d", name, status, said, c.want)
		}
	}
	if all, err := s.front.client.Snapshots(t.Context(), ""); err != nil || len(all) != 0 {
		t.Errorf("kept: %+v, %v", all, err)
	}
	for i := range 9 {
		next := []byte{'n', byte(i)}
		want := 429
		if i < 8 {
			want = 200
		}
		if status, said := s.upload(sign(of(next), "b1/g1"), next); status != want {
			t.Errorf("number %d of a day: %d %s", i, status, said)
		}
	}
	if all, err := s.front.client.Snapshots(t.Context(), ""); err != nil || len(all) != 1 {
		t.Errorf("of one day: %+v, %v", all, err)
	}
	_, err = s.front.client.PutHouse(t.Context(), s.house(2))
	s.must(err)
	if status, said := s.upload(good, data); status != 403 {
		t.Errorf("removed: %d %s", status, said)
	}
	if all, err := s.front.client.Snapshots(t.Context(), "b1"); err != nil || len(all) != 1 || !all[0].Removed {
		t.Errorf("of a gateway that was removed: %+v, %v", all, err)
	}
}
