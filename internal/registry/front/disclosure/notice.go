package disclosure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/disclosure/acts"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// Notices returns the mandates that were answered, and of which of them people may be told by now.
func (d Desk) Notices(ctx context.Context, _ url.Values) ([]api.Notice, error) {
	all, err := d.answered(ctx)
	if err != nil {
		return nil, err
	}
	first, _ := d.Span()
	err = d.Store.Update(ctx, func(tx *store.Tx) (err error) {
		for i := range all {
			if all[i].Due, err = due(all[i].Mandate, first); err == nil {
				all[i].Told, err = toldOf(tx, all[i].Reference)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// Told stores that those were told whom a mandate asked about; again it changes nothing.
func (d Desk) Told(ctx context.Context, t api.ToTell) (n api.Notice, err error) {
	all, err := d.Notices(ctx, nil)
	i := slices.IndexFunc(all, func(n api.Notice) bool { return n.Reference == t.Reference })
	switch {
	case err != nil:
		return n, err
	case i < 0:
		return n, socket.Refused(http.StatusNotFound, "registryd notices list --all shows the mandates that were answered", "nothing was answered here under the mandate %s", t.Reference)
	case !all[i].Due:
		return n, socket.Refused(http.StatusConflict, "registryd notices list --all shows from when on", "nobody may be told of the mandate %s now", t.Reference)
	}
	_, last := d.Span()
	err = d.Acts.Update(context.WithoutCancel(ctx), func(tx *acts.Tx) (err error) {
		if all[i].Told, err = toldOf(tx.Tx, t.Reference); err != nil || all[i].Told != nil {
			return err
		}
		if err = tx.Do(acts.Act{Told: &acts.Told{Reference: t.Reference, At: last, Teller: socket.UserName(ctx)}}); err == nil {
			all[i].Told, err = toldOf(tx.Tx, t.Reference)
		}
		return err
	})
	return all[i], err
}

// answered returns the mandates that were answered, with what their answers were made from.
func (d Desk) answered(ctx context.Context) ([]api.Notice, error) {
	all, index := []api.Notice{}, map[wire.ID]int{}
	for given, err := range store.GivenWithin(ctx, d.Store, time.UnixMilli(0), time.UnixMilli(1<<52)) {
		if err != nil {
			return nil, err
		}
		i, known := index[given.Reference]
		if !known {
			i, index[given.Reference] = len(all), len(all)
			all = append(all, api.Notice{Reference: given.Reference})
		}
		var plan api.Disclosed
		if err := json.Unmarshal(given.Plan, &plan); err != nil {
			return nil, fmt.Errorf("stored answer: %w", err)
		}
		all[i].Mandate, all[i].Answers = given.Mandate, append(all[i].Answers, api.NoticeGiven{Place: plan.Place, At: given.At.UTC(), Logs: plan.Logs})
	}
	return all, nil
}

// due reports whether people may surely be told of a mandate now.
func due(envelope []byte, now time.Time) (bool, error) {
	payload, _, err := wire.Read(envelope)
	if err != nil {
		return false, fmt.Errorf("stored mandate: %w", err)
	}
	m, err := mandates.Decode(payload)
	if err != nil {
		return false, fmt.Errorf("stored mandate: %w", err)
	}
	return m.Telling != nil && m.Telling.From != 0 && now.Unix() >= int64(m.Telling.From), nil
}

// toldOf returns who said that people were told of a mandate; nil: nobody.
func toldOf(tx *store.Tx, reference wire.ID) (*api.NoticeTold, error) {
	t, was, err := tx.Tellings.Find(reference)
	if !was || err != nil {
		return nil, err
	}
	return &api.NoticeTold{At: t.At.UTC(), By: t.Teller}, nil
}
