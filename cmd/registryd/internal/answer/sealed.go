package answer

import (
	"context"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
)

// sealedPage is how many entries are fetched at a time.
const sealedPage = 10_000

// Sealed calls each with what the sealed entries of a filter say, but for covers, and returns how many the private
// records key does not open.
func Sealed(ctx context.Context, front *api.Client, key []byte, f api.EntryFilter, each func(api.Entry, sealed.Record)) (shut int, err error) {
	f.Kind, f.Limit = wire.KindSealed.String(), sealedPage
	for more := true; more; more = f.After != "" {
		f.After, err = front.Entries(ctx, f, func(e api.Entry) error {
			r, err := sealed.Open(key, e.Building+"/"+e.Gateway, e.Detail)
			switch {
			case err != nil:
				shut++
			case r.What != sealed.Cover:
				each(e, r)
			}
			return nil
		})
		if err != nil {
			return shut, err
		}
	}
	return shut, nil
}
