package site

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Remarks tells what is no fault of a site file, and what whoever wires the
// building should know: what the board does when the daemon is gone, which
// readers' keys can't be used, and which readers' lines nothing protects.
func (s *Site) Remarks() []string {
	list := append(s.boardRemarks(), s.uartRemarks()...)
	var open []string
	for _, d := range s.Doors {
		for i := range d.Readers {
			r := &d.Readers[i]
			list = append(list, s.readerRemarks(d.ID, r)...)
			if r.about == nil && (r.Type != TypeOSDP && r.Type != TypeCode || r.Security == SecurityNone) {
				open = append(open, r.Name(d.ID))
			}
		}
	}
	if len(open) > 0 {
		list = append(list, "nothing protects the lines of these readers, whoever reaches the wires can read cards and send them again: "+strings.Join(open, ", "))
	}
	return list
}

func (s *Site) boardRemarks() (list []string) {
	b := s.board()
	for _, o := range b.Outputs {
		if o.After != "kept" {
			continue
		}
		remedy := "no remedy is known but the service manager's"
		if o.Remedy != "" {
			remedy = o.Remedy
		}
		list = append(list, fmt.Sprintf("%s with %s keeps a relay as it is when the daemon dies: %s. Let the service manager run gatehoused secure after a stop", b.Title, o.With, remedy))
	}
	return list
}

// readerRemarks are the warnings of a reader's profile, and what is wrong with its
// key: who may not read that asks in vain, and is not told.
func (s *Site) readerRemarks(door string, r *Reader) (list []string) {
	if r.about != nil {
		for _, w := range r.about.Warnings {
			list = append(list, fmt.Sprintf("reader %s (%s): %s", r.Name(door), r.about.Title, w))
		}
	}
	if r.Keypad != nil && r.PIN == "" && r.Direction == "in" {
		list = append(list, fmt.Sprintf("reader %s has keys, and nothing uses them: write pin = %q in its [[door.reader]], which asks for card and PIN, and name its formats, or leave keypad out; until then keys are ignored", r.Name(door), PINWithCard))
	}
	if r.Type != TypeOSDP || r.Security == SecurityNone {
		return list
	}
	if err := s.KeyFile(door, r).Problem(); err != nil && !errors.Is(err, fs.ErrPermission) {
		list = append(list, fmt.Sprintf("reader %s: mend its key file, or remove it and pair the reader again: %v", r.Name(door), err))
	}
	return list
}
