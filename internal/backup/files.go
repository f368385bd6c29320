package backup

import (
	"path/filepath"
	"regexp"
	"strings"

	"gatehouse/internal/keys"
)

// KeyFiles are those of the directory of keys that a backup holds: whose cards they are,
// and who is believed. What stands for the machine itself is not among them: its own keys,
// and its certificate.
var KeyFiles = []string{keys.BuildingKeyFile, keys.IssuerFile, keys.RootFile, keys.TrustFile, keys.HouseFile, keys.CAFile, "addresses", keys.RegistryFile}

// MarksFile is the keyring's, and has the version of the newest list.
const MarksFile = "marks.json"

// LimitsFile is the keyring's, and says what is laid over the list. It is put down after the list.
const LimitsFile = "removals.json"

// GrantFiles are those of the directory of the grants that a backup holds beside the list:
// marks, what is laid over the list, labels, and the desk's book.
var GrantFiles = []string{MarksFile, LimitsFile, "labels.json", "tenancies.json"}

// ClockFile is what is known of the time, in the state directory.
const ClockFile = "clock"

// RecordsDir has the records, in the directory of the grants.
const RecordsDir = "records"

var recordName = regexp.MustCompile(`^[a-z0-9-]{1,80}\.record$`)

// IsRecord says whether a name may be that of a record's file.
func IsRecord(name string) bool { return recordName.MatchString(name) }

// IsProfile says whether a name may be that of a profile below its directory.
func IsProfile(name string) bool {
	return filepath.IsLocal(name) && strings.HasSuffix(name, ".toml") && filepath.ToSlash(filepath.Clean(name)) == name
}
