package query

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Alarms answers with the alarms of a building, or of all: the newest first.
func Alarms(s *store.Store, r *http.Request) ([]api.Alarm, error) {
	limit, err := readLimit(r.URL.Query(), 100, 100_000)
	if err != nil {
		return nil, socket.Refused(http.StatusBadRequest, "", "%v", err)
	}
	found, err := s.Alarms(r.Context(), r.URL.Query().Get("building"), limit)
	if err != nil {
		return nil, err
	}
	all := make([]datedAlarm, len(found))
	for i, a := range found {
		all[i] = shownAlarm(a)
	}
	slices.SortStableFunc(all, func(a, b datedAlarm) int { return b.happened.Compare(a.happened) })
	out := make([]api.Alarm, len(all))
	for i, a := range all {
		out[i] = a.Alarm
	}
	return out, nil
}

// datedAlarm is an alarm with when it happened, as far as anybody knows: those of a
// gateway that was away are heard late, many at once, and a clock may be wrong.
type datedAlarm struct {
	api.Alarm
	happened time.Time
}

func shownAlarm(a store.Alarm) datedAlarm {
	out := datedAlarm{happened: a.Heard, Alarm: api.Alarm{Place: api.Place(a.Place), Epoch: fmt.Sprintf("%016x", a.Epoch), Sequence: a.Sequence,
		Time: a.Heard, Heard: a.Heard, Kind: "fork", Stored: a.Stored}}
	h, err := wire.DecodeHeader(a.Header)
	if err != nil {
		return out
	}
	out.Time, out.Kind, out.Outcome, out.Reason, out.Door = h.Time(), h.Kind.String(), h.Outcome.String(), h.Reason.String(), h.Door
	if h.Clock > wire.ClockFloor && out.Time.Before(a.Heard) {
		out.happened = out.Time
	}
	return out
}
