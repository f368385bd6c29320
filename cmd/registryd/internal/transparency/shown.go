// Package transparency is the command of registryd that publishes counts: how often the log was queried, preserved
// and erased, by town, and which mandates were answered, as a list that shows them only to who has them.
//
// It refuses to show a number from 1 to 4, and whatever such a number could be computed from: a total and the length
// of the list are made from what is shown and from nothing else.
package transparency

import (
	"fmt"

	"gatehouse/internal/registry/api"
)

// few is the first number that is shown as it is, after 0.
const few = 5

// row is a town's numbers as they are shown.
type row struct {
	api.Town
	numbers
}

// numbers are shown ones: "0", "<5", "12", or of a total "12-18".
type numbers struct {
	Answers     string `json:"answers"`
	Emergencies string `json:"emergencies"`
	OnSite      string `json:"on_site,omitempty"` // empty: not known without the records key
	Refused     string `json:"refused"`
	Preserved   string `json:"preserved"`
	Forgotten   string `json:"forgotten"`
}

// cells are the numbers in the order of the columns.
func (n numbers) cells() []string {
	return []string{n.Answers, n.Emergencies, n.OnSite, n.Refused, n.Preserved, n.Forgotten}
}

// span is what readers of a column know of its total.
type span struct{ least, most int }

// show returns a count as it is shown, and adds to the total what that says.
func (s *span) show(n int) string {
	if n <= 0 || n >= few {
		s.least, s.most = s.least+n, s.most+n
		return fmt.Sprint(n)
	}
	s.least, s.most = s.least+1, s.most+few-1
	return fmt.Sprintf("<%d", few)
}

func (s span) String() string {
	if s.least == s.most {
		return fmt.Sprint(s.least)
	}
	return fmt.Sprintf("%d-%d", s.least, s.most)
}

// show returns the towns' numbers and the totals as they are shown, and how long the list of mandates is: as long as
// there may have been answers, by what is shown. onSite is nil where it is not known.
func show(towns []api.TownCounts, onSite map[api.Town]int) (rows []row, total numbers, length int) {
	var answers, emergencies, site, refused, preserved, forgotten span
	for _, t := range towns {
		r := row{t.Town, numbers{Answers: answers.show(t.Answers), Emergencies: emergencies.show(t.Emergencies),
			Refused: refused.show(t.Refused), Preserved: preserved.show(t.Preserved), Forgotten: forgotten.show(t.Forgotten)}}
		if onSite != nil {
			r.OnSite = site.show(onSite[t.Town])
		}
		rows = append(rows, r)
	}
	total = numbers{Answers: answers.String(), Emergencies: emergencies.String(), Refused: refused.String(), Preserved: preserved.String(), Forgotten: forgotten.String()}
	if onSite != nil {
		total.OnSite = site.String()
	}
	return rows, total, answers.most + site.most
}
