package idnumber

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestForms: two permits of one holder have one part in common, and each number is of
// the form that was issued.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		document wire.DocumentType
		number   string
		holder   string
		form     string
	}{
		{wire.DocumentHongKong, "H12345678", "H12345678", "H or M and 8 digits (since 2013-01-02)"},
		{wire.DocumentHongKong, "H12345678(00)", "H12345678", "H or M, 8 digits of the holder, 2 of the renewals (since 1999)"},
		{wire.DocumentHongKong, "HA1234567", "HA1234567", "HA or MA and 7 digits: residents who are no Chinese citizens (since 2024-07-10)"},
		{wire.DocumentTaiwan, "1234567801(B)", "12345678", "8 digits of the holder, 2 of the renewals"},
		{wire.DocumentResidentID, invented("19900307", 1), invented("19900307", 1), "18 digits, the last may be X (since 1999-10-01)"},
	} {
		n, err := Check(c.document, c.number, today)
		if err != nil {
			t.Error(c.form, err)
			continue
		}
		if f, ok := FormOf(c.document, n); !ok || f.String() != c.form || Holder(c.document, n) != c.holder {
			t.Errorf("%s: %s, %v", c.form, f, ok)
		}
	}
}
