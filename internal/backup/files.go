package backup

import (
	"path/filepath"
	"regexp"
	"strings"

	"gatehouse/internal/keys"
)

// KeyFiles are the files of the directory of keys in a backup: those of the building and those by
// which documents are verified. The machine's own keys and its certificate are not among them.
var KeyFiles = []string{keys.BuildingKeyFile, keys.IssuerFile, keys.RootFile, keys.TrustFile, keys.HouseFile, keys.CAFile, "addresses", keys.RegistryFile}

// MarksFile is the keyring's file with the version of the newest list.
const MarksFile = "marks.json"

// LimitsFile is the keyring's file of changes on top of the list. A restore writes it after the
// list.
const LimitsFile = "removals.json"

// GrantFiles are the files beside the list in a backup: marks, changes on top of the list, labels,
// and the desk's tenancies.
var GrantFiles = []string{MarksFile, LimitsFile, "labels.json", "tenancies.json"}

// ClockFile is the file in the state directory with the known bounds of the time.
const ClockFile = "clock"

// RecordsDir is the directory of the tenancy records, in the directory of the grants.
const RecordsDir = "records"

var recordName = regexp.MustCompile(`^[a-z0-9-]{1,80}\.record$`)

// IsRecord reports whether a name may be that of a record's file.
func IsRecord(name string) bool { return recordName.MatchString(name) }

// IsProfile reports whether a name may be that of a profile, relative to the directory of profiles.
func IsProfile(name string) bool {
	return filepath.IsLocal(name) && strings.HasSuffix(name, ".toml") && filepath.ToSlash(filepath.Clean(name)) == name
}
