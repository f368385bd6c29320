package laws

import (
	"testing"

	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/sync/wire"
)

// TestAnswers: an answer without its entry is told, when it is given and at the end; one of a gateway that
// lost its log is not.
func TestAnswers(t *testing.T) {
	of := func(gateway string, n byte) frontdb.Answer {
		return frontdb.Answer{Gateway: gateway, Reference: wire.ID{n}, Number: 1}
	}
	at := testbed.Spot{Epoch: "a", N: 7}
	there := frontdb.Stored{Answers: map[frontdb.Answer]bool{of("gw1", 1): true}}
	lost := func(string) bool { return false }
	for name, c := range map[string]struct {
		do   func(a *Answers, r *report.Report)
		want int
	}{
		"on site, with its entry": {func(a *Answers, r *report.Report) {
			a.OnSite(of("gw1", 1), &at, 0, r)
			a.Judge(map[string]map[testbed.Spot]int{"gw1": {at: 1}}, there, lost, r)
		}, 0},
		"on site, without": {func(a *Answers, r *report.Report) { a.OnSite(of("gw1", 1), nil, 0, r) }, 1},
		"on site, and its entry is gone": {func(a *Answers, r *report.Report) {
			a.OnSite(of("gw1", 1), &at, 0, r)
			a.Judge(nil, there, lost, r)
		}, 1},
		"on site, and the log was lost, which something says": {func(a *Answers, r *report.Report) {
			a.OnSite(of("gw1", 1), &at, 0, r)
			a.Judge(nil, there, func(string) bool { return true }, r)
		}, 0},
		"by the registry, with its row": {func(a *Answers, r *report.Report) { a.Central(of("gw1", 1), there, 0, r) }, 0},
		"by the registry, without":      {func(a *Answers, r *report.Report) { a.Central(of("gw1", 2), there, 0, r) }, 1},
		"by the registry, for another":  {func(a *Answers, r *report.Report) { a.Central(of("gw2", 1), there, 0, r) }, 1},
		"by the registry, and forgotten": {func(a *Answers, r *report.Report) {
			a.Central(of("gw1", 1), there, 0, r)
			a.stored(frontdb.Stored{}, r)
		}, 1},
	} {
		r := &report.Report{}
		c.do(&Answers{}, r)
		if len(r.Breaches) != c.want {
			t.Errorf("%s: %d breaches, want %d: %v", name, len(r.Breaches), c.want, r.Breaches)
		}
	}
}
