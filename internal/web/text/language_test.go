package text

import "testing"

// TestSystem: the flag, then the system's settings, then Chinese.
func TestSystem(t *testing.T) {
	for _, c := range []struct {
		flag, all, lang string
		want            Language
	}{{"", "", "", Chinese}, {"", "", "zh_CN.UTF-8", Chinese}, {"", "", "en_US.UTF-8", English}, {"", "C", "zh_CN.UTF-8", English}, {"zh", "C", "", Chinese}, {"en", "", "zh_CN.UTF-8", English}} {
		t.Setenv("LC_ALL", c.all)
		t.Setenv("LC_MESSAGES", "")
		t.Setenv("LANG", c.lang)
		if got := System(c.flag); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
