package corrections

import (
	"slices"
	"strconv"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
	"gatehouse/sync/wire/whos"
)

// found is a request's entry with its record.
type found struct {
	api.Entry
	sealed.Record
}

// place is where an entry stands: address of the gateway, epoch as the front writes it, number.
type place struct {
	gateway, epoch string
	sequence       uint64
}

func placeOf(e api.Entry) place { return place{e.Building + "/" + e.Gateway, e.Epoch, e.Sequence} }

// whosOf fetches the who parts of requests, which have their keys: those that are there still. shut are the batches of
// their gateways that the records key does not open.
func (s *Session) whosOf(key []byte, all []found) (parts map[place]wire.Who, shut int, err error) {
	wanted, buildings := map[place]bool{}, map[string]bool{}
	for _, f := range all {
		if len(f.WhoHash) > 0 {
			wanted[placeOf(f.Entry)], buildings[f.Building] = true, true
		}
	}
	parts = map[place]wire.Who{}
	opener := whos.Opener{Records: key}
	for building := range buildings {
		err := s.Front.Seals(s.Ctx, building, func(b api.Seals) error {
			at := place{b.Gateway, epochText(b.Epoch), b.First}
			if !at.near(all) {
				return nil
			}
			opened, err := opener.Parts(b.Gateway, b.Epoch, b.First, b.Sealed, b.Context)
			if err != nil {
				shut++
				return nil
			}
			for _, p := range opened {
				at.sequence = b.First + uint64(p.Index)
				if !wanted[at] {
					continue
				}
				if parts[at], err = wire.DecodeWho(p.Who); err != nil {
					shut++
				}
			}
			return nil
		})
		if err != nil {
			return nil, shut, err
		}
	}
	return parts, shut, nil
}

// near reports whether a batch that begins here may have one of the requests: most of a building's have none.
func (p place) near(all []found) bool {
	return slices.ContainsFunc(all, func(f found) bool {
		return f.Epoch == p.epoch && f.Building+"/"+f.Gateway == p.gateway && f.Sequence >= p.sequence && f.Sequence-p.sequence < wire.MaxBatch
	})
}

func epochText(epoch uint64) string {
	text := strconv.FormatUint(epoch, 16)
	return "0000000000000000"[len(text):] + text
}
