package idnumber

import (
	"strings"

	"gatehouse/sync/wire"
)

// Documents lists the kinds of documents by their stable names.
func Documents() (names []string) {
	for d := wire.DocumentResidentID; d <= wire.LastDocument; d++ {
		names = append(names, d.String())
	}
	return names
}

// Named finds a kind of document by its stable name, in any case and with hyphens as
// people write it; false for none.
func Named(name string) (wire.DocumentType, bool) {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	for d := wire.DocumentResidentID; d <= wire.LastDocument; d++ {
		if d.String() == name {
			return d, true
		}
	}
	return 0, false
}
