package idnumber

import (
	"regexp"
	"strings"

	"gatehouse/sync/wire"
)

// Form is one form of a document's number.
type Form struct {
	Document wire.DocumentType
	Since    string // first day of issue of such documents, or the year; empty: before any that is valid
	Words    string
	looks    *regexp.Regexp
}

// String returns the form in English, and since when it is issued.
func (f Form) String() string {
	if f.Since == "" {
		return f.Words
	}
	return f.Words + " (since " + f.Since + ")"
}

// forms has the documents in their issued forms: GB 11643-1999 and the announcements of the
// National Immigration Administration and the Ministry of Public Security.
var forms = []Form{
	{wire.DocumentResidentID, "1999-10-01", "18 digits, the last may be X", regexp.MustCompile(`^\d{17}[\dX]$`)},
	{wire.DocumentResidence, "2018-09-01", "18 digits from 81, 82 or 83 on, the last may be X", regexp.MustCompile(`^8[123]\d{15}[\dX]$`)},
	{wire.DocumentForeigner, "2023-12-01", "18 digits from 9 on, the last may be X", regexp.MustCompile(`^9\d{16}[\dX]$`)},
	{wire.DocumentForeigner, "2004", "3 letters and 12 digits", regexp.MustCompile(`^[A-Z]{3}\d{12}$`)},
	{wire.DocumentHongKong, "2013-01-02", "H or M and 8 digits", regexp.MustCompile(`^[HM]\d{8}$`)},
	{wire.DocumentHongKong, "1999", "H or M, 8 digits of the holder, 2 of the renewals", regexp.MustCompile(`^[HM]\d{10}$`)},
	{wire.DocumentHongKong, "2024-07-10", "HA or MA and 7 digits: residents who are no Chinese citizens", regexp.MustCompile(`^[HM]A\d{7}$`)},
	{wire.DocumentTaiwan, "2015-07-06", "8 digits", regexp.MustCompile(`^\d{8}$`)},
	{wire.DocumentTaiwan, "", "8 digits of the holder, 2 of the renewals", regexp.MustCompile(`^\d{10}$`)},
	{wire.DocumentPassport, "", "5 to 15 letters and digits", regexp.MustCompile(`^[A-Z0-9]{5,15}$`)},
	{wire.DocumentOther, "", "2 to 32 letters and digits, which nothing checks", regexp.MustCompile(`^[A-Z0-9]{2,32}$`)},
}

// FormOf returns the form of a number that Check accepted.
func FormOf(document wire.DocumentType, number string) (Form, bool) {
	for _, f := range forms {
		if f.Document == document && f.looks.MatchString(number) {
			return f, true
		}
	}
	return Form{}, false
}

// Holder returns the part of a number that its holder keeps for life: without the number of
// renewals. It is for comparing two numbers of one document.
func Holder(document wire.DocumentType, number string) string {
	switch {
	case document == wire.DocumentHongKong && len(number) == 11:
		return number[:9]
	case document == wire.DocumentTaiwan && len(number) == 10:
		return number[:8]
	}
	return number
}

// Documents returns the stable names of the kinds of documents.
func Documents() (names []string) {
	for d := wire.DocumentResidentID; d <= wire.LastDocument; d++ {
		names = append(names, d.String())
	}
	return names
}

// Named returns the kind of document with that stable name, in any case and with hyphens too; false
// for none.
func Named(name string) (wire.DocumentType, bool) {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	for d := wire.DocumentResidentID; d <= wire.LastDocument; d++ {
		if d.String() == name {
			return d, true
		}
	}
	return 0, false
}
