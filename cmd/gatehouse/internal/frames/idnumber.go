package frames

import (
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

type decodeIDNumberCmd struct {
	Document string `help:"Whose numbers they are: resident_id, residence_permit, foreigner_card, passport, hk_macao_permit, taiwan_permit, other." default:"resident_id"`
}

// decodedIDNumber is one number as it was read. Number is in the form in which
// it is kept, null if it is not valid; an error never has a part of it.
type decodedIDNumber struct {
	Document string  `json:"document"`
	Valid    bool    `json:"valid"`
	Number   *string `json:"number"`
	Form     *string `json:"form"` // which of the document's forms it has, and since when there is such a one
	Error    *string `json:"error"`
}

func (c decodeIDNumberCmd) Run(s *session.Session) error {
	document, ok := idnumber.Named(c.Document)
	if !ok {
		return socket.Hinted("one of "+strings.Join(idnumber.Documents(), ", "), "no such document")
	}
	return eachLine(s, func(line string) any { return decodeIDNumber(document, line) })
}

func decodeIDNumber(document wire.DocumentType, line string) decodedIDNumber {
	d := decodedIDNumber{Document: document.String()}
	number, err := idnumber.Check(document, line, time.Now())
	if err != nil {
		d.Error = new(err.Error())
		return d
	}
	d.Valid, d.Number = true, &number
	if form, ok := idnumber.FormOf(document, number); ok {
		d.Form = new(form.String())
	}
	return d
}
