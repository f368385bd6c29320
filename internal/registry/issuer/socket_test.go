package issuer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// serve runs the issuer's loop and socket, as registryd issue does.
func (w *world) serve() *operator.Client {
	w.t.Helper()
	dir, err := os.MkdirTemp("", "issuer") // short: a socket's path has 107 bytes at most
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(dir, FileSocket)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- w.i.Run(ctx) }()
	go func() { done <- w.i.Serve(ctx, path) }()
	w.t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				w.t.Error(err)
			}
		}
		os.RemoveAll(dir)
	})
	client := operator.NewClient(path)
	for {
		if _, err := client.Status(w.t.Context()); err == nil {
			return client
		}
	}
}

// TestOperator talks to a running issuer as the commands do.
func TestOperator(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	c, ctx := w.serve(), t.Context()
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	for {
		if all, err := c.Tenancies(ctx, ""); err != nil || len(all) == 1 {
			break
		}
	}
	grants, err := c.Grants(ctx, "", id('t', 1).String())
	if err != nil || len(grants) != 1 || !grants[0].Listed || grants[0].State != fold.StateActive || len(grants[0].Cards) != 1 {
		t.Fatal(grants, err)
	}
	d, err := c.Do(ctx, operator.Act{Act: operator.ActSuspend, Grant: grants[0].ID, Credential: grants[0].Cards[0].Credential, Reason: "lost"})
	if err != nil || !d.Sent {
		t.Fatal(d, err)
	}
	_, err = c.Do(ctx, operator.Act{Act: operator.ActEnd, Grant: grants[0].ID, Reason: "arrears"})
	var refused *api.Error
	if !errors.As(err, &refused) || !strings.Contains(refused.Hint, "moved_out") {
		t.Fatal(err)
	}
	p, err := c.Look(ctx, operator.Look{Tenancy: id('t', 1).String(), Reason: "mandate", Case: "case 7"})
	if err != nil || len(p.Seals) != 1 || p.Seals[0].Address != "house-1/gw-1" || len(p.Seals[0].Hash) != len(wire.Hash{}) {
		t.Fatal(p, err)
	}
	for _, l := range []operator.Look{{Tenancy: id('t', 1).String(), Reason: "mandate"}, {Tenancy: id('t', 1).String(), Reason: "curious", Case: "1"}, {Tenancy: id('t', 9).String(), Reason: "mandate", Case: "1"}} {
		if _, err := c.Look(ctx, l); err == nil {
			t.Errorf("looked at %+v", l)
		}
	}
	if _, err := c.AddGateway(ctx, operator.NewGateway{Place: api.Place{District: "d2", Town: "t1", Building: building1, Gateway: "gw-2"}}); err == nil {
		t.Error("one building in two districts")
	}
	audit, err := c.Audit(ctx)
	if err != nil || len(audit) != 2 || audit[0].What != "person" || audit[0].Reason != "mandate: case 7" || audit[0].Who == "" || audit[0].Who == "unknown" {
		t.Fatalf("%+v %v", audit, err)
	}
	if d, err := c.RemoveGateway(ctx, building1, "gw-1"); err != nil || !d.Sent {
		t.Fatal(d, err)
	}
	if gateways, err := c.Gateways(ctx, ""); err != nil || len(gateways) != 0 {
		t.Fatal(gateways, err)
	}
	if s, err := c.Publish(ctx); err != nil || s.Buildings != 1 || len(s.Unsent) != 0 {
		t.Fatal(s, err)
	}
}
