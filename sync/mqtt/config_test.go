package mqtt_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/mqtt"
)

func TestConfig(t *testing.T) {
	some := func(string) (*tls.Config, error) { return &tls.Config{}, nil }
	for name, c := range map[string]struct {
		cfg     mqtt.Config
		problem string // empty: accepted
	}{
		"TLS":                    {mqtt.Config{Broker: "mqtts://broker.example:8883", TLS: some}, ""},
		"no port":                {mqtt.Config{Broker: "mqtts://broker.example", TLS: some}, ""},
		"IPv6":                   {mqtt.Config{Broker: "mqtts://[2001:db8::1]:8883", TLS: some}, ""},
		"plain, this machine":    {mqtt.Config{Broker: "mqtt://127.0.0.1:1883"}, ""},
		"plain, this machine, 6": {mqtt.Config{Broker: "mqtt://[::1]"}, ""},
		"plain, by name":         {mqtt.Config{Broker: "mqtt://localhost:1883"}, ""},
		"plain, far":             {mqtt.Config{Broker: "mqtt://192.0.2.1:1883"}, "plain connection"},
		"plain, far, looks near": {mqtt.Config{Broker: "mqtt://localhost.example"}, "plain connection"},
		"no TLS":                 {mqtt.Config{Broker: "mqtts://broker.example"}, "no TLS configuration"},
		"scheme":                 {mqtt.Config{Broker: "ws://127.0.0.1"}, "unknown scheme"},
		"no scheme":              {mqtt.Config{Broker: "broker.example:8883"}, "want mqtts://"},
		"nothing":                {mqtt.Config{}, "want mqtts://"},
		"password":               {mqtt.Config{Broker: "mqtts://gate:secret@broker.example", TLS: some}, "want mqtts://"},
		"path":                   {mqtt.Config{Broker: "mqtts://broker.example/mqtt", TLS: some}, "want mqtts://"},
		"not an address":         {mqtt.Config{Broker: "mqtts://[::1", TLS: some}, "broker"},
		"filters":                {mqtt.Config{Broker: "mqtt://[::1]", Subscribe: []string{"#", "a/#", "+", "a/+/b", "+/#"}}, ""},
		"empty filter":           {mqtt.Config{Broker: "mqtt://[::1]", Subscribe: []string{""}}, "empty"},
		"# in the middle":        {mqtt.Config{Broker: "mqtt://[::1]", Subscribe: []string{"a/#/b"}}, "wildcard"},
		"# with more":            {mqtt.Config{Broker: "mqtt://[::1]", Subscribe: []string{"a#"}}, "wildcard"},
		"+ with more":            {mqtt.Config{Broker: "mqtt://[::1]", Subscribe: []string{"a/b+"}}, "wildcard"},
		"long filter":            {mqtt.Config{Broker: "mqtt://[::1]", Subscribe: []string{strings.Repeat("x", 1025)}}, "at most"},
		"filter twice":           {mqtt.Config{Broker: "mqtt://[::1]", Subscribe: []string{"a", "b", "a"}}, "twice"},
		"negative":               {mqtt.Config{Broker: "mqtt://[::1]", KeepAlive: -1}, "negative"},
		"long keep-alive":        {mqtt.Config{Broker: "mqtt://[::1]", KeepAlive: 24 * time.Hour}, "65535"},
	} {
		_, err := mqtt.New(c.cfg)
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: error %v, want %q", name, err, c.problem)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the password is in the error", name)
		}
	}
}

func TestTopicsNobodyTakes(t *testing.T) {
	l, err := mqtt.New(mqtt.Config{Broker: "mqtt://[::1]"})
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"", "a/+", "#", "a\x00", strings.Repeat("x", 1025)} {
		if err := l.Publish(t.Context(), topic, nil); err == nil || err == mqtt.ErrDown {
			t.Errorf("topic %.10q: %v", topic, err)
		}
	}
}

func TestJitterLimits(t *testing.T) {
	j := mqtt.Jitter{Loss: time.Minute, Max: 5 * time.Minute}
	for failures, want := range []time.Duration{1, 2, 4, 5, 5, 5} {
		if got := mqtt.Limit(j, failures); got != want*time.Minute {
			t.Errorf("after %d failures: %v", failures, got)
		}
	}
	if got := mqtt.Limit(j, 1<<20); got != 5*time.Minute {
		t.Errorf("after a million failures: %v", got)
	}
}

// TestWaits: in three days without a broker, every wait is within its bound and
// they are spread over it. The will is made at each attempt and so shows it. There are some 10,800, so that
// their mean is missed by luck never: it stands 22 deviations from its bounds, and the shares farther.
func TestWaits(t *testing.T) {
	addr := freePort(t)
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		l, err := mqtt.New(mqtt.Config{Broker: "mqtt://" + addr, Log: zerolog.Nop(), Will: func() mqtt.Message {
			at = append(at, time.Now())
			return mqtt.Message{Topic: "x"}
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 72*time.Hour)
		defer cancel()
		began := time.Now()
		if err := l.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if first := at[0].Sub(began); first > 2*time.Second {
			t.Errorf("the first attempt after %v", first)
		}
		var sum time.Duration
		short, long := 0, 0
		for i := range at[1:] {
			wait := at[i+1].Sub(at[i])
			if limit := mqtt.Limit(mqtt.Jitter{Loss: 5 * time.Second, Max: 40 * time.Second}, i); wait < limit/5 || wait > limit {
				t.Errorf("wait %d of %v, from a fifth of %v to all of it", i, wait, limit)
			}
			sum += wait
			if wait < 16*time.Second {
				short++
			}
			if wait > 32*time.Second {
				long++
			}
		}
		n := len(at) - 1
		if mean := sum / time.Duration(n); mean < 22*time.Second || mean > 26*time.Second || short < n/10 || long < n/10 {
			t.Errorf("%d waits: mean %v, %d short, %d long", n, mean, short, long)
		}
	})
}
