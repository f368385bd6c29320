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

// A deleted file leaves no trace of its own. Files that are written only after it, also across a
// power cut, show that it was there.

// lacks reports whether a file of the state directory is missing.
func lacks(s *site.Site, elem ...string) bool {
	_, err := os.Stat(s.Path(elem...))
	return errors.Is(err, fs.ErrNotExist)
}

// missingFiles returns the names of deleted files within the state directory, as far as is known.
// grants says that the directory of the grants is missing. The desk's file of tenancies and the file of the time
// are written at the first start, before anything of the registry's can come.
func missingFiles(s *site.Site, grants bool, k keyring.Status) (all []string) {
	listed := k.Last > 0 || !lacks(s, "grants", "grants-a.db") || !lacks(s, "grants", "grants-b.db") // without keys no list is read
	switch {
	case grants:
		all = append(all, "grants")
	case listed && lacks(s, "grants", desk.BookFile):
		all = append(all, "grants/"+desk.BookFile)
	}
	uplinked := !lacks(s, "journal", "hints") || !lacks(s, "journal", "acked") // the latter is an earlier version's
	if lacks(s, clock.File) && (listed || uplinked) {
		all = append(all, clock.File)
	}
	return all
}
