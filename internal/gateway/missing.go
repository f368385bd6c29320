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
// was deleted: the registry has confirmed entries of a run that had one.
func lacksGrants(s *site.Site) bool { return lacks(s, "grants") && !lacks(s, "journal", "acked") }

// lacksBook reports whether the desk's book was deleted: it is written at the first
// start, before any list can come.
func lacksBook(s *site.Site, k keyring.Status) bool {
	return k.Last > 0 && lacks(s, "grants", desk.BookFile)
}

// missingFile names what was deleted, within the state folder; empty: nothing that is
// known of. grants says that of the folder.
func missingFile(s *site.Site, grants bool, k keyring.Status) string {
	switch {
	case grants:
		return "grants"
	case lacksBook(s, k):
		return "grants/" + desk.BookFile
	}
	return ""
}

// missingProblem says what is gone with it, and what to do.
func missingProblem(s *site.Site, what string) string {
	gone := "labels and PINs of the desk are gone, cards open as before"
	if what == "grants" {
		gone = "the registry sends the list again, labels and PINs of the desk are gone"
	}
	return fmt.Sprintf("%s is missing: %s. Find out who or what did that, a hand or the disk; tenants choose their PIN anew with gatehouse tenancy pin. "+
		"This line goes with the next start", s.Path(what), gone)
}
