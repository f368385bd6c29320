package server

// Helpers of several parts of the server.

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server/takeover"
	"gatehouse/internal/gateway"
	"gatehouse/internal/keyring"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// enter records an act and its caller.
func enter(g *gateway.Gateway, r *http.Request, h wire.Header) {
	h.Source = caller.Of(r.Context()).String()
	g.Journal.Queue(h, wire.Who{})
}

// doorOf finds a door by its id.
func doorOf(g *gateway.Gateway, id string) (*gateway.Door, error) {
	var known []string
	for _, d := range g.Doors {
		if d.Config.ID == id {
			return d, nil
		}
		known = append(known, d.Config.ID)
	}
	return nil, socket.Refused(http.StatusNotFound, "doors of this gateway: "+strings.Join(known, ", "), "no door %q here", id)
}

func served(g *gateway.Gateway, r *http.Request) (*gateway.Reader, error) {
	if err := takeover.Refuse(g); err != nil {
		return nil, err // what a reader sends would be of somebody who comes home
	}
	d, err := doorOf(g, r.PathValue("door"))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(d.Readers, func(s *gateway.Reader) bool { return s.Config.ID == r.PathValue("reader") })
	if i < 0 {
		return nil, socket.Refused(http.StatusNotFound, "gatehouse reader list shows them", "door %s has no reader %q", d.Config.ID, r.PathValue("reader"))
	}
	return d.Readers[i], nil
}

// byLandlord is the quality of a signed time in a house without a registry.
const byLandlord = "landlord's key"

func clockStatus(g *gateway.Gateway) control.Clock {
	r := g.Clock.Read()
	quality := r.Quality.String()
	if r.Quality == wire.ClockRegistry && g.Keyring.Keys.Registry() == nil {
		quality = byLandlord
	}
	return control.Clock{Now: r.Wall.In(g.Site.Zone()), Zone: g.Site.TimeZone, Quality: quality, Trusted: r.Trusted}
}

// timeOf returns the time of unix seconds in a zone; nil: none.
func timeOf(s uint32, zone *time.Location) *time.Time {
	if s == 0 {
		return nil
	}
	return new(time.Unix(int64(s), 0).In(zone))
}

func fireStatus(g *gateway.Gateway) *control.Fire {
	if g.Fire == nil {
		return nil
	}
	f, _ := g.Fire.Now()
	return &control.Fire{Active: f.Active, Unreadable: f.Blind, Latched: f.Latched}
}

func grantsStatus(s keyring.Status, zone *time.Location) control.Grants {
	out := control.Grants{Version: s.Version, Count: s.Active.Grants}
	for _, c := range s.Files.Copies {
		if c.Good {
			out.Copies++
		}
	}
	if s.Version > 0 {
		out.Hash, out.Issued = fmt.Sprintf("%x", s.Hash), new(s.Active.Issued.In(zone))
	}
	return out
}

func choose[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

// during returns a context that also ends with over.
func during(ctx context.Context, over <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-over:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
