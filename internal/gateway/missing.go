package gateway

import (
	"errors"
	"io/fs"
	"os"

	"gatehouse/internal/desk"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/keyring"
	"gatehouse/internal/site"
)

// A file without a word of what it had can't say that it was deleted: others, of
// which none is older than it after a power cut, tell that it was there.

// lacks reports whether a file of the state directory is not there.
func lacks(s *site.Site, elem ...string) bool {
	_, err := os.Stat(s.Path(elem...))
	return errors.Is(err, fs.ErrNotExist)
}

// lacksGrants reports, before a new one is made, whether the directory of the grants
// was deleted: it is made before that of the log, which syncs the directory of both.
func lacksGrants(s *site.Site) bool { return lacks(s, "grants") && !lacks(s, "journal", "epochs") }

// lacksBook reports whether the desk's book was deleted: it is written at the first
// start, before any list can come.
func lacksBook(s *site.Site, k keyring.Status) bool {
	return k.Last > 0 && lacks(s, "grants", desk.BookFile)
}

// lacksClock reports whether the file of the time was deleted: it too is written at the
// first start, before anything of the registry's can come.
func lacksClock(s *site.Site, k keyring.Status) bool {
	return lacks(s, clock.File) && (k.Last > 0 || !lacks(s, "journal", "acked"))
}

// missingFiles name what was deleted, within the state directory, as far as is known.
// grants says that of the directory.
func missingFiles(s *site.Site, grants bool, k keyring.Status) (all []string) {
	switch {
	case grants:
		all = append(all, "grants")
	case lacksBook(s, k):
		all = append(all, "grants/"+desk.BookFile)
	}
	if lacksClock(s, k) {
		all = append(all, clock.File)
	}
	return all
}
