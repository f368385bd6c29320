package main

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/control"
)

// TestLearnFormatNobody: nobody is sent to a reader that is not there, or that has no
// formats, and no format learning begins.
func TestLearnFormatNobody(t *testing.T) {
	for _, c := range []struct{ kind, door, want string }{
		{"wiegand", "back", "no reader in at door back"},
		{"serial", "front", "of type serial"},
		{"pn532", "front", "of type pn532"},
	} {
		socket := playDaemon(t, control.Reader{Door: "front", ID: "in", Type: c.kind}, func(s string) {
			if s != "GET /v1/readers" {
				t.Errorf("%s: the daemon was asked %s", c.kind, s)
			}
		})
		out, errOut, status := tool(t, "", "--socket", socket, "teach", c.door, "in")
		if status != 1 || out != "" || !strings.Contains(errOut, c.want) || strings.Contains(errOut, "hold it up") {
			t.Errorf("%s: status %d, %s%s", c.kind, status, out, errOut)
		}
	}
}

// TestLearnFormatEnds: whatever becomes of format learning its reader goes back to its door, but
// somebody else's format learning is not ended.
func TestLearnFormatEnds(t *testing.T) {
	const end = "DELETE /v1/doors/front/readers/in/teach"
	for name, c := range map[string]struct {
		status int // of the answer to the first request; 0: interrupted
		ends   bool
	}{
		"somebody else learns a format": {http.StatusConflict, false},
		"no card":                       {http.StatusGatewayTimeout, true},
		"interrupted":                   {0, true},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var asked []string
		socket := playRefusing(t, control.Reader{Door: "front", ID: "in", Type: "wiegand"}, func(s string) *control.Error {
			asked = append(asked, s)
			switch {
			case !strings.HasPrefix(s, "POST"):
			case c.status == 0:
				cancel()
			default:
				return &control.Error{Message: name, Status: c.status}
			}
			return nil
		})
		var out, errOut bytes.Buffer
		status := run(ctx, []string{"--socket", socket, "teach", "front", "in"}, nil, &out, &errOut)
		cancel()
		if status != 1 || out.Len() > 0 || !strings.Contains(errOut.String(), name) || slices.Contains(asked, end) != c.ends {
			t.Errorf("%s: status %d, %s%s, the daemon was asked %v", name, status, &out, &errOut, asked)
		}
	}
}
