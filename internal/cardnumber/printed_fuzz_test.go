package cardnumber

import (
	"strings"
	"testing"
)

// FuzzParsePrinted: what is taken has forms, the first one its own; an error never has the number.
func FuzzParsePrinted(f *testing.F) {
	for _, s := range [][2]string{{"094,10637", "3+5D"}, {"6171021", "10D"}, {"0A004D7603", "10H"}, {"04:A1:B2:C3", "uid"}, {"1.23E+09", "13D"}, {"", "5+5D"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, number, form string) {
		n, err := ParsePrinted(number, form)
		if err == nil {
			forms := n.Forms(UsualShapes())
			if len(forms) == 0 || forms[0].Bits != n.bits.Len() || len(n.Kin(forms)) != 0 {
				t.Fatalf("%s: %d forms", form, len(forms))
			}
			return
		}
		if len(number) > 5 && strings.Contains(err.Error(), number) && !strings.Contains("printed number: it is written like 1.23E+09", number) {
			t.Fatalf("%s: %v", form, err)
		}
		_ = Fill(number, form)
	})
}
