package front

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// https is a client as an enrolling gateway has one.
func (s *scene) https(path string, body []byte) (int, string, http.Header) {
	s.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(s.ca)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	resp, err := c.Post("https://"+s.front.enrol+path, "application/octet-stream", bytes.NewReader(body))
	s.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	s.must(err)
	if resp.TLS.Version != tls.VersionTLS13 {
		s.t.Errorf("TLS %x", resp.TLS.Version)
	}
	return resp.StatusCode, string(b), resp.Header
}

// issue answers enrolments as an issuer until the test ends, and returns what
// it saw.
func (s *scene) issue(answer func(api.Enrolment) api.Answer) <-chan api.Enrolment {
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	seen := make(chan api.Enrolment, 64)
	go func() {
		for ctx.Err() == nil {
			w, err := s.front.client.Work(ctx, 0, 5*time.Second)
			if err != nil {
				return
			}
			for _, e := range w.Enrolments {
				a := answer(e)
				a.ID = e.ID
				if s.front.client.Answer(ctx, a) == nil {
					seen <- e
				}
			}
		}
	}()
	return seen
}

func TestEnrolmentsReachTheIssuer(t *testing.T) {
	s := newScene(t)
	seen := s.issue(func(e api.Enrolment) api.Answer {
		if e.Place.Gateway == "g9" {
			return api.Answer{Error: "the token is used", Hint: "ask for another"}
		}
		return api.Answer{Body: []byte("answer to " + e.Kind)}
	})
	proof := strings.Repeat("5a", 32)
	enrol := s.envelope(wire.TypeEnrol, wire.RoleGateway, 0, "b1/g2", []byte{1}, newKey(t))
	renew := s.envelope(wire.TypeRenew, wire.RoleGateway, 0, "b1/g1", []byte{1}, s.g.key)
	for _, c := range []struct {
		path string
		body []byte
		kind string
	}{
		{"/v1/introduce", []byte(`{"building":"b1","gateway":"g2","proof":"` + proof + `"}`), api.KindIntroduce},
		{"/v1/enrol", enrol, api.KindEnrol}, {"/v1/renew", renew, api.KindRenew},
	} {
		status, body, header := s.https(c.path, c.body)
		if status != 200 || body != "answer to "+c.kind || header.Get("Content-Type") != "application/cbor" {
			t.Errorf("%s: %d %q", c.path, status, body)
		}
		if e := <-seen; e.Kind != c.kind || e.Place.Building != "b1" || c.kind == api.KindIntroduce && hex.EncodeToString(e.Proof) != proof || c.kind != api.KindIntroduce && !bytes.Equal(e.Envelope, c.body) {
			t.Errorf("the issuer saw %+v", e)
		}
	}
	status, body, _ := s.https("/v1/introduce", []byte(`{"building":"b1","gateway":"g9","proof":"`+proof+`"}`))
	var fail api.Error
	if json.Unmarshal([]byte(body), &fail) != nil || status != 403 || fail.Message != "the token is used" || fail.Hint == "" {
		t.Errorf("a refusal: %d %q", status, body)
	}
}

func TestEnrolmentRefusesBeforeTheIssuer(t *testing.T) {
	s := newScene(t)
	seen := s.issue(func(api.Enrolment) api.Answer { return api.Answer{Body: []byte{1}} })
	for name, c := range map[string]struct {
		path string
		body []byte
		want int
	}{
		"no json":         {"/v1/introduce", []byte("{"), 403},
		"no place":        {"/v1/introduce", []byte(`{"building":"B 1","gateway":"g","proof":"` + strings.Repeat("5a", 32) + `"}`), 403},
		"no proof":        {"/v1/introduce", []byte(`{"building":"b1","gateway":"g2"}`), 403},
		"half a proof":    {"/v1/introduce", []byte(`{"building":"b1","gateway":"g2","proof":"5a5a"}`), 403},
		"no envelope":     {"/v1/enrol", []byte{1, 2, 3}, 403},
		"another type":    {"/v1/enrol", s.envelope(wire.TypeHello, wire.RoleGateway, 0, "b1/g1", []byte{1}, s.g.key), 403},
		"no gateway":      {"/v1/enrol", s.envelope(wire.TypeEnrol, wire.RoleGateway, 0, "b1", []byte{1}, s.g.key), 403},
		"renew: stranger": {"/v1/renew", s.envelope(wire.TypeRenew, wire.RoleGateway, 0, "b1/g1", []byte{1}, newKey(t)), 403},
		"renew: unknown":  {"/v1/renew", s.envelope(wire.TypeRenew, wire.RoleGateway, 0, "b1/g7", []byte{1}, s.g.key), 403},
		"too large":       {"/v1/enrol", make([]byte, wire.MaxMessage+1), 413},
		"another path":    {"/v1/status", nil, 404},
	} {
		if status, body, _ := s.https(c.path, c.body); status != c.want {
			t.Errorf("%s: %d %q, want %d", name, status, body, c.want)
		}
	}
	if len(seen) != 0 {
		t.Errorf("the issuer was asked: %+v", <-seen)
	}
}

func TestConfigIsStrict(t *testing.T) {
	r := newRig(t)
	for text, want := range map[string]string{
		"":                              "",
		"state = \"/x\"\n":              "",
		"broker = \"mqtts://h:8883\"\n": "",
		"stat = 1\n":                    `line 1: unknown key "stat" (did you mean "state"?)`,
		"\nbroker = \"http://h\"\n":     "want \"embedded\" or mqtts://host:port",
		"enrol_listen = \"8443\"\n":     "want host:port",
		"enrol_per_minute = -1\n":       "want at least 1",
		"state = \n":                    "line 1",
		"state = 1\n":                   `"state" has a value of the wrong type: want a text, in quotes`,
		"state = '/s'\nstate = '/t'\n":  "line 2, column 1: toml: key state is already defined",
	} {
		r.must(osWrite(r.config().path(api.FileConfig), text))
		c, err := LoadConfig(r.config().path(api.FileConfig))
		if want == "" && (err != nil || c.Socket == "" || c.MQTTListen != ":8883") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
