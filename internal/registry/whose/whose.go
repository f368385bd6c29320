// Package whose finds which entries of a building name some tenancies, with the records key, to have them erased. It gives
// sequence numbers and nothing that stands in an entry: it is no way to read who came.
package whose

import (
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/whos"
)

// stream is an epoch of a gateway, by its address.
type stream struct {
	gateway string
	epoch   uint64
}

// Finder finds the entries of tenancies. For one goroutine.
type Finder struct {
	Before time.Time // only those that the registry stored before this; zero: all

	Shut   int // batches that the key does not open
	Opened int // those with who parts that it opens

	opener    whos.Opener
	tenancies map[string]bool
	entries   map[stream][]uint64
}

// New returns a Finder with the private records key, for tenancies' whole ids.
func New(key []byte, tenancies ...string) *Finder {
	f := &Finder{opener: whos.Opener{Records: key}, tenancies: map[string]bool{}, entries: map[stream][]uint64{}}
	for _, id := range tenancies {
		f.tenancies[strings.ToLower(id)] = true
	}
	return f
}

// Look takes the entries of a batch that name one of the tenancies.
func (f *Finder) Look(s api.Seals) error {
	if !f.Before.IsZero() && !s.Stored.Before(f.Before) {
		return nil
	}
	parts, err := f.opener.Parts(s.Gateway, s.Epoch, s.First, s.Sealed, s.Context)
	if err != nil {
		f.Shut++
		return nil
	}
	if len(parts) > 0 {
		f.Opened++
	}
	for _, p := range parts {
		who, err := wire.DecodeWho(p.Who)
		if err != nil {
			f.Shut++
			return nil
		}
		if who.Tenancy != nil && f.tenancies[who.Tenancy.String()] {
			in := stream{s.Gateway, s.Epoch}
			f.entries[in] = append(f.entries[in], s.First+uint64(p.Index))
		}
	}
	return nil
}

// Entries are those found, as the front takes them, in the order of their numbers.
func (f *Finder) Entries() (all []api.Forget) {
	for _, in := range slices.SortedFunc(maps.Keys(f.entries), func(a, b stream) int { return strings.Compare(a.gateway, b.gateway) }) {
		slices.Sort(f.entries[in])
		all = append(all, api.Forget{Gateway: in.gateway, Epoch: in.epoch, Sequences: slices.Compact(f.entries[in])})
	}
	return all
}
