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

// numbers are shown ones: "0", "<5", "12", or of a total and of a part of another number "12-18". What needs the records key
// is empty without it.
type numbers struct {
	Answers         string `json:"answers"`
	Emergencies     string `json:"emergencies"`
	Validated       string `json:"validated"` // of the emergencies
	OnSite          string `json:"on_site,omitempty"`
	Refused         string `json:"refused"`
	RefusedOnSite   string `json:"refused_on_site,omitempty"`
	Preserved       string `json:"preserved"`
	PreservedOnSite string `json:"preserved_on_site,omitempty"`
	Forgotten       string `json:"forgotten"`
	ForgottenOnSite string `json:"forgotten_on_site"`
}

// cells are the numbers in the order of the columns.
func (n numbers) cells() []string {
	return []string{n.Answers, n.Emergencies, n.Validated, n.OnSite, n.Refused, n.RefusedOnSite, n.Preserved, n.PreservedOnSite, n.Forgotten, n.ForgottenOnSite}
}

// counted are a town's numbers, as readers know them, in the same order.
type counted [10]span

func (c counted) numbers(text func(span) string, keyed bool) numbers {
	n := numbers{Answers: text(c[0]), Emergencies: text(c[1]), Validated: text(c[2]), Refused: text(c[4]), Preserved: text(c[6]), Forgotten: text(c[8]), ForgottenOnSite: text(c[9])}
	if keyed {
		n.OnSite, n.RefusedOnSite, n.PreservedOnSite = text(c[3]), text(c[5]), text(c[7])
	}
	return n
}

// span is what readers know of a number.
type span struct{ least, most int }

// countOf is what is shown of a count.
func countOf(n int) span {
	if n <= 0 || n >= few {
		return span{n, n}
	}
	return span{1, few - 1}
}

// partOf is what is shown of a part of a number, so that neither the part nor the rest is known where it is from 1 to 4.
func partOf(n int, whole span) span {
	switch {
	case n <= 0:
		return span{}
	case whole.least != whole.most:
		return span{1, whole.most}
	case n == whole.most:
		return whole
	case whole.most < 2*few-1: // else a reader had but one or two numbers to choose from
		return span{1, whole.most - 1}
	case n < few:
		return span{1, few - 1}
	case whole.most-n < few:
		return span{whole.most - few + 1, whole.most - 1}
	}
	return span{n, n}
}

func (s span) plus(more span) span { return span{s.least + more.least, s.most + more.most} }

// cell is a number of a town.
func (s span) cell() string {
	if s == (span{1, few - 1}) {
		return fmt.Sprintf("<%d", few)
	}
	return s.String()
}

func (s span) String() string {
	if s.least == s.most {
		return fmt.Sprint(s.least)
	}
	return fmt.Sprintf("%d-%d", s.least, s.most)
}

// show returns the towns' numbers and the totals as they are shown, and how long the list of mandates is: as long as
// there may have been answers, by what is shown.
func show(towns []api.TownCounts, site onSite) (rows []row, total numbers, length int) {
	var all counted
	for _, t := range towns {
		at := site.towns[t.Town]
		answers := countOf(t.Answers)
		emergencies := partOf(t.Emergencies, answers)
		c := counted{answers, emergencies, partOf(t.Validated, emergencies), countOf(at.answers), countOf(t.Refused), countOf(at.refused),
			countOf(t.Preserved), countOf(at.preserved), countOf(t.Forgotten), countOf(at.forgotten)}
		for i, n := range c {
			all[i] = all[i].plus(n)
		}
		rows = append(rows, row{t.Town, c.numbers(span.cell, site.keyed)})
	}
	return rows, all.numbers(span.String, site.keyed), all[0].most + all[3].most
}
