package gateway

import "fmt"

// Found is what a look at this machine found of what a site file names.
type Found struct {
	Ports []FoundPort
}

// FoundPort is a serial port with the other programs that have it open.
type FoundPort struct {
	Path    string // as the site file has it
	TTY     string // the kernel's name of it, as ttyAMA0
	Holders []PortHolder
	Hidden  bool // only root may see whether there are more
}

// PortHolder is a program that has a port open.
type PortHolder struct {
	Command string // as ps has it
	PID     int
}

// Ports are the serial ports that the site file names, each once.
func (s *Site) Ports() (list []string) {
	seen := map[string]bool{}
	for _, d := range s.Doors {
		for _, r := range d.Readers {
			if r.Port != "" && !seen[r.Port] {
				seen[r.Port] = true
				list = append(list, r.Port)
			}
		}
	}
	return list
}

// Against tells what was found on this machine that does not go with the site
// file, each with what to do.
func (s *Site) Against(found Found) (list []string) {
	hidden := false
	for _, p := range found.Ports {
		for _, h := range p.Holders {
			if cure := h.cure(p.TTY); cure != "" {
				list = append(list, fmt.Sprintf("port %s: %s (process %d) has it open, too, and takes what the reader sends: %s", p.Path, h.Command, h.PID, cure))
			}
		}
		hidden = hidden || p.Hidden
	}
	if hidden {
		list = append(list, "only root may see which other programs have the ports open: sudo gatehoused check")
	}
	return list
}

// cure ends a program's hold on a port; empty for the daemon, whose port it is.
func (h PortHolder) cure(tty string) string {
	switch h.Command {
	case "gatehoused":
		return ""
	case "agetty", "getty", "login":
		return fmt.Sprintf("it waits for somebody who logs in: sudo systemctl disable --now serial-getty@%s.service, and take console=%s (or console=serial0) out of the kernel's command line", tty, tty)
	case "ModemManager":
		return "it looks for modems: put packaging/udev/77-gatehouse.rules to /etc/udev/rules.d and start again, or sudo systemctl disable --now ModemManager"
	}
	return fmt.Sprintf("end it: sudo kill %d", h.PID)
}
