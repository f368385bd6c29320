package page

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEnterDoesNothing: Enter in a field presses the first button of its form. Where a form has several, the first one
// only asks or leads to the next question; all others of such forms are listed here, with what their first one does.
func TestEnterDoesNothing(t *testing.T) {
	harmless := map[string]string{
		"desk_card":   `name="door"`,           // waits for a card
		"desk_choose": `name="proof" value="{`, // by card or PIN: asks for it
		"desk_pin":    `name="door"`,           // waits for the keys
		"resident":    `data-ask=`,
	}
	forms, either, buttons := regexp.MustCompile(`(?s)<form[^>]*>.*?</form>`), regexp.MustCompile(`\{\{else[^}]*\}\}`), regexp.MustCompile(`<button[^>]*>`)
	names, err := fs.Glob(embedded, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range names {
		screen := strings.TrimSuffix(path.Base(name), ".html")
		raw, err := embedded.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range forms.FindAllString(string(raw), -1) {
			for _, part := range either.Split(form, -1) {
				all := slices.DeleteFunc(buttons.FindAllString(part, -1), func(b string) bool { return strings.Contains(b, `type="button"`) })
				if len(all) < 2 && !strings.Contains(strings.Join(all, ""), `{{.}}`) { // which is repeated
					continue
				}
				if want, listed := harmless[screen]; !listed || !strings.Contains(all[0], want) {
					t.Errorf("%s: Enter in a field presses %s", screen, all[0])
				}
				seen[screen] = true
			}
		}
	}
	if len(seen) != len(harmless) {
		t.Errorf("forms with several buttons are in %v, want those of %v", seen, harmless)
	}
}
