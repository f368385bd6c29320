package journaled

import (
	"strings"

	"gatehouse/sync/wire"
)

// maxSoftware is the most bytes of a version in a boot entry: its detail has room for them behind the id.
const maxSoftware = 64 - len(wire.ID{})

// BootDetail is the detail of a boot entry: the kernel's name of its boot, then the version of the software
// that runs from here on, cut to what there is room for.
func BootDetail(id wire.ID, software string) []byte {
	return append(id[:], software[:min(len(software), maxSoftware)]...)
}

// Software is the version that the detail of a boot entry names; empty: it names none, as versions before
// wrote none, or something else than a version.
func Software(detail []byte) string {
	if len(detail) <= len(wire.ID{}) {
		return ""
	}
	version := string(detail[len(wire.ID{}):])
	if strings.ContainsFunc(version, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return version
}
