package server

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/gateway"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// logFilter is what of the log a query asks for: since a time, of doors, of kinds. It
// only narrows what an owner may see.
func logFilter(g *gateway.Gateway, q url.Values) (func(wire.Header) bool, error) {
	since, err := sinceTime(g, q.Get("since"))
	if err != nil {
		return nil, socket.Refused(http.StatusBadRequest, "write --since 2h, 3d, 2026-12-01 or \"2026-12-01 09:30\"", "since = %q: no time", q.Get("since"))
	}
	for _, id := range q["door"] {
		if _, err := doorOf(g, id); err != nil {
			return nil, err
		}
	}
	for _, kind := range q["kind"] {
		if names := shownNames(); !slices.Contains(names, kind) {
			return nil, socket.Refused(http.StatusBadRequest, "kinds of the log: "+strings.Join(names, ", "), "no kind %q", kind)
		}
	}
	return func(h wire.Header) bool {
		return shown(h) && !h.Time().Before(since) &&
			(len(q["door"]) == 0 || slices.Contains(q["door"], h.Door)) &&
			(len(q["kind"]) == 0 || slices.Contains(q["kind"], h.Kind.String()))
	}, nil
}

// shownNames are the names of the kinds that an owner may see.
func shownNames() (names []string) {
	for kind := range shownKinds {
		names = append(names, kind.String())
	}
	slices.Sort(names)
	return names
}

// ago is a time before now: minutes, hours or days.
var ago = regexp.MustCompile(`^(\d{1,6})([mhd])$`)

// sinceTime reads a time of the building's zone, or how long ago it was; the zero time
// for an empty text.
func sinceTime(g *gateway.Gateway, text string) (time.Time, error) {
	found := ago.FindStringSubmatch(text)
	if found == nil {
		return calendar.Moment(text, zoneOf(g))
	}
	n, _ := strconv.Atoi(found[1]) // six digits
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[found[2]]
	return g.Clock.Read().Wall.Add(-time.Duration(n) * unit), nil
}
