package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gatehouse/internal/desk"
	"gatehouse/internal/keyring"
	"gatehouse/internal/site"
)

// A file without a word of what it had can't say that it was deleted: others, of
// which none is older than it after a power cut, tell that it was there.

// lacks reports whether a file of the state folder is not there.
func lacks(s *site.Site, elem ...string) bool {
	_, err := os.Stat(s.Path(elem...))
	return errors.Is(err, fs.ErrNotExist)
}

// lacksGrants reports, before a new one is made, whether the folder of the grants
// was deleted: it is made before that of the log, which syncs the folder of both.
func lacksGrants(s *site.Site) bool { return lacks(s, "grants") && !lacks(s, "journal", "epochs") }

// lacksBook reports whether the desk's book was deleted: it is written at the first
// start, before any list can come.
func lacksBook(s *site.Site, k keyring.Status) bool {
	return k.Last > 0 && lacks(s, "grants", desk.BookFile)
}

// lacksClock reports whether the file of the time was deleted: it too is written at the
// first start, before anything of the registry's can come.
func lacksClock(s *site.Site, k keyring.Status) bool {
	return lacks(s, clockFile) && (k.Last > 0 || !lacks(s, "journal", "acked"))
}

// missingFiles name what was deleted, within the state folder, as far as is known.
// grants says that of the folder.
func missingFiles(s *site.Site, grants bool, k keyring.Status) (all []string) {
	switch {
	case grants:
		all = append(all, "grants")
	case lacksBook(s, k):
		all = append(all, "grants/"+desk.BookFile)
	}
	if lacksClock(s, k) {
		all = append(all, clockFile)
	}
	return all
}

// missingProblem says what is gone with it, and what to do.
func missingProblem(s *site.Site, what string) string {
	gone, todo := "labels and PINs of the desk are gone, cards open as before", "tenants choose their PIN anew with gatehouse tenancy pin"
	switch what {
	case "grants":
		gone = "the registry sends the list again (a house by itself: gatehouse grant restore), labels and PINs of the desk are gone"
	case clockFile:
		gone, todo = "what was known of the time is gone, nobody's term ends by that", timeAnew
	}
	return fmt.Sprintf("%s is missing: %s. Find out who or what did that, a hand or the disk; %s. This line goes with the next start", s.Path(what), gone, todo)
}

// timeAnew is what to do where what was known of the time is gone.
const timeAnew = "the registry or a time server tells the time anew; without either, set the clock, then gatehouse clock confirm"
