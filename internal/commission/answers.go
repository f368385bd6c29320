// Package commission makes the site file of a building from what was found on its machine and a
// person's answers about its doors: each part with a tick, or with what is wrong with it in words,
// and a file as a person could have written it.
//
// It opens no line and no port, and guesses nothing that could lock people in: whether people leave
// by a handle or by a button, and the kind of a lock, must be answered.
package commission

import (
	"reflect"

	"gatehouse/internal/control"
	"gatehouse/internal/site"
	"gatehouse/internal/strict"
)

// Answers and proposals are messages of the socket, too; package control describes them.
type (
	Answers      = control.Answers
	DoorAnswer   = control.DoorAnswer
	ReaderAnswer = control.ReaderAnswer
	Item         = control.PlanItem
	Plan         = control.Plan
)

// The states of an Item.
const (
	OK    = control.PartOK
	Look  = control.PartLook
	Fault = control.PartFault
)

// ParseAnswers reads the text of a file of answers strictly.
func ParseAnswers(raw []byte) (a Answers, err error) {
	err = strict.Read(raw, &a, map[reflect.Type]string{
		reflect.TypeFor[[]DoorAnswer]():   "tables: each door begins with a line [[door]]",
		reflect.TypeFor[[]ReaderAnswer](): "tables: each reader begins with a line [[door.reader]], after its door",
	})
	return a, err
}

// fits reports whether a found reader is the one of an answer.
func fits(a ReaderAnswer, typ, port string, address *int) bool {
	return (a.Type == "" || a.Type == typ) && (a.Port == "" || a.Port == port) && (a.Address == nil || address != nil && *a.Address == *address)
}

// onLines reports whether an answer means a Wiegand reader, which has no port.
func onLines(a ReaderAnswer) bool {
	return a.Type == site.TypeWiegand || a.Type == "" && a.Port == "" && a.Address == nil
}
