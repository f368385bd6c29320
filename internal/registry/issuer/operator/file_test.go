package operator

import "testing"

// TestCheckFile: a name or an identity number is no file number; an empty one is left to the issuer.
func TestCheckFile(t *testing.T) {
	for text, good := range map[string]bool{"咨询-7": true, "（2026）调证12号": true, "A4401060000002026110001": true, "440000199001010007": true, "": true, " ": true,
		"张三": false, "mandate": false, "440000199001010028": false, "张三 44000019900101001X": false} {
		if err := CheckFile(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
