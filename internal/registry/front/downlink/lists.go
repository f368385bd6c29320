package downlink

import (
	"context"

	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// partRoom is what the manifest and the buckets of one ListPart may take: the
// rest is for its own frame, the envelope and room to spare.
const partRoom = wire.MaxMessage - 1024

// newestList returns a building's newest list; store.ErrNotFound: there is none.
func (s *Sender) newestList(ctx context.Context, building string) (document.Outgoing, error) {
	l, err := s.o.Store.List(ctx, building)
	if err != nil {
		return document.Outgoing{}, err
	}
	return s.outgoing(ctx, l)
}

// outgoing joins a list and the log before it.
func (s *Sender) outgoing(ctx context.Context, l store.List) (document.Outgoing, error) {
	head, err := document.HeadOf(l)
	if err != nil {
		return document.Outgoing{}, err
	}
	log, err := s.o.Store.Log(ctx, l.Building, head.Earlier)
	return document.NewOutgoing(l, head, log), err
}

// sendList sends the manifest with buckets. If they don't fit into one message they go in
// several, or, without split, not at all: the gateway asks for them. It reports
// whether the gateway is online.
func (s *Sender) sendList(g *roster.Gateway, l document.Outgoing, buckets [][]byte, split bool) bool {
	of := s.o.Roster.Look(g)
	part := l.Part(s.format(of), of.View.Hello.ListHash)
	if len(part.Manifest) == 0 {
		return false
	}
	room := partRoom - len(part.Manifest) - len(part.Second) - len(part.Proof)*(len(wire.Hash{})+2)
	size := 0
	for _, b := range buckets {
		size += len(b) + 5
	}
	if size > room && !split {
		buckets = nil
	}
	sent := false
	for first := true; first || len(buckets) > 0; first = false {
		n, used := 0, 0
		for n < len(buckets) && used+len(buckets[n])+5 <= room {
			used += len(buckets[n]) + 5
			n++
		}
		if n == 0 && len(buckets) > 0 {
			s.o.Log.Error().Str("gateway", g.Address()).Int("bytes", len(buckets[0])).Msg("a bucket does not fit beside its manifest")
			buckets = buckets[1:]
			continue
		}
		part.Buckets = append([][]byte{}, buckets[:n]...)
		sent = s.Say(of.Place, wire.TypeList, part) || sent
		buckets = buckets[n:]
	}
	return sent && s.o.Roster.Sent(g, l.Version)
}
