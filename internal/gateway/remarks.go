package gateway

import (
	"fmt"
	"strings"
)

// Remarks tells what is no fault of a site file, and what whoever wires the
// building should know: what the board does when the daemon is gone, and which
// readers' lines nothing protects.
func (s *Site) Remarks() (list []string) {
	if b, err := s.profiles().Board(s.Board); s.Board != "" && err == nil {
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
	}
	var open []string
	for _, d := range s.Doors {
		for i := range d.Readers {
			r := &d.Readers[i]
			if r.about != nil {
				for _, w := range r.about.Warnings {
					list = append(list, fmt.Sprintf("reader %s (%s): %s", r.name(d.ID), r.about.Title, w))
				}
			} else if r.Type != typeOSDP && r.Type != typeCode || r.Security == securityNone {
				open = append(open, r.name(d.ID))
			}
		}
	}
	if len(open) > 0 {
		list = append(list, "nothing protects the lines of these readers, whoever reaches the wires can read cards and send them again: "+strings.Join(open, ", "))
	}
	return list
}
