package broker

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"testing"

	"gatehouse/sync/wire"
)

func TestPlaceOf(t *testing.T) {
	uri := func(opaque string) *url.URL { return &url.URL{Scheme: "gatehouse", Opaque: opaque} }
	other, _ := url.Parse("https://example.com/a/b/c/d")
	for name, c := range map[string]struct {
		cn   string
		uris []*url.URL
		ok   bool
	}{
		"good":               {"b/g", []*url.URL{uri("d/t/b/g")}, true},
		"another URI beside": {"b/g", []*url.URL{other, uri("d/t/b/g")}, true},
		"no place":           {"b/g", nil, false},
		"two places":         {"b/g", []*url.URL{uri("d/t/b/g"), uri("d/t2/b/g")}, false},
		"another name":       {"b/h", []*url.URL{uri("d/t/b/g")}, false},
		"short":              {"b/g", []*url.URL{uri("t/b/g")}, false},
		"wildcard":           {"b/+", []*url.URL{uri("d/t/b/+")}, false},
		"nats wildcard":      {"b/>", []*url.URL{uri("d/t/b/>")}, false},
		"dots":               {"b.b/g", []*url.URL{uri("d/t/b.b/g")}, false},
		"the house itself":   {"b/house", []*url.URL{uri("d/t/b/house")}, false},
	} {
		p, err := placeOf(&x509.Certificate{Subject: pkix.Name{CommonName: c.cn}, URIs: c.uris})
		if (err == nil) != c.ok || c.ok && p != (wire.Place{District: "d", Town: "t", Building: "b", Gateway: "g"}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestNewRefusesAddresses(t *testing.T) {
	for _, listen := range []string{"", "8883", "host:port", ":70000"} {
		if _, err := New(Options{Listen: listen}); err == nil {
			t.Errorf("listens on %q", listen)
		}
	}
}
