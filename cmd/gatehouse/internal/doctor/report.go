package doctor

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"

	"gatehouse/internal/profile"
)

// hardware is one row of docs/hardware.md: what somebody tried, and what was proved.
type hardware struct {
	Profiles []string `json:"profiles"` // of this program, that the site file names
	Board    string   `json:"board"`
	System   string   `json:"system"` // kernel, distribution, architecture
	Version  string   `json:"version"`
	Readers  []string `json:"readers"` // profiles, or types
	Proved   []string `json:"proved"`
	lacks    string   // why nothing could be seen; empty: it was looked at
}

// report includes only what the daemon has just seen to work.
func (f *seen) report(version string) hardware {
	m := f.machine
	h := hardware{Version: version, Profiles: []string{}, Readers: []string{}, Proved: []string{},
		Board: cmp.Or(m.word("proc/device-tree/model"), m.word("sys/class/dmi/id/product_name"), "unknown board")}
	h.System = fmt.Sprintf("Linux %s, %s, %s", cmp.Or(m.word("proc/sys/kernel/osrelease"), "unknown"), m.distribution(), runtime.GOARCH)
	if h.lacks = f.lacks(); h.lacks != "" {
		return h
	}
	proved, profiles, readers := f.proved()
	h.Profiles, h.Readers = slices.Sorted(maps.Keys(profiles)), slices.Sorted(maps.Keys(readers))
	for _, what := range slices.Sorted(maps.Keys(proved)) {
		h.Proved = append(h.Proved, fmt.Sprintf("%d x %s", proved[what], what))
	}
	if f.status.Clock.Quality == "rtc" || f.status.Clock.Quality == "ntp" {
		h.Proved = append(h.Proved, "clock from "+f.status.Clock.Quality)
	}
	return h
}

// proved counts what works, and has the profiles and readers that it shows to work: a profile that the
// site file names and of which nothing works was not tried.
func (f *seen) proved() (proved map[string]int, profiles, readers map[string]bool) {
	kinds, named := map[string]string{}, map[string]string{} // of readers, by door and id
	for _, d := range f.site.Doors {
		for _, r := range d.Readers {
			id := d.ID + "/" + r.ID
			named[id] = builtIn(profile.Readers, r.Profile)
			kinds[id] = cmp.Or(named[id], r.Type)
		}
	}
	board := builtIn(profile.Boards, f.site.Board)
	proved, profiles, readers = map[string]int{}, map[string]bool{}, map[string]bool{}
	for _, d := range f.status.Doors {
		if d.Lock == "ok" {
			proved["relay driven"]++
			profiles[board] = true
		}
		for _, dev := range d.Devices {
			id := d.ID + "/" + dev.ID
			kind, reader := kinds[id]
			switch {
			case !dev.Online || dev.Hint != "": // it is not proved
			case reader:
				proved[kind+" online"]++
				profiles[named[id]], readers[kind] = true, true
			default:
				proved[dev.ID+" input read"]++
				profiles[board] = true
			}
		}
	}
	delete(profiles, "")
	return proved, profiles, readers
}

// lacks says why there is nothing to tell; empty: something works.
func (f *seen) lacks() string {
	switch {
	case f.status == nil:
		return "nothing: the daemon gave no answer to this user"
	case f.site == nil:
		return "nothing: the site file was not read"
	}
	if proved, _, _ := f.proved(); len(proved) == 0 {
		return "nothing: no line could be driven or read, and no reader answers"
	}
	return ""
}

// builtIn returns the name of a profile that is in the program; empty for a house's own, whose name
// may be that of the house.
func builtIn(k profile.Kind, name string) string {
	if _, _, err := (profile.Set{}).Text(k, name); err != nil {
		return ""
	}
	return name
}

// distribution returns the name of the operating system.
func (m machine) distribution() string {
	for line := range strings.Lines(m.word("etc/os-release")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return "unknown system"
}

// write prints a row for each profile, or one for hardware that has none yet.
func (h hardware) write(w io.Writer) {
	cell := func(all []string) string {
		return cmp.Or(strings.Join(all, ", "), h.lacks, "nothing")
	}
	names := h.Profiles
	if len(names) == 0 {
		names = []string{"none yet"}
	}
	for _, name := range names {
		fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s | %s | YOUR NAME |\n", name, strings.ReplaceAll(h.Board, "|", "/"), h.System, h.Version, cell(h.Readers), cell(h.Proved))
	}
}
