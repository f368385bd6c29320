package session

import (
	"os"
	"path/filepath"

	"gatehouse/internal/command"
)

// Program returns the path of a program of ours: as given, or beside this one, or in the system's
// directory of programs.
func Program(name string) string {
	if filepath.Base(name) != name {
		return name
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside
		}
	}
	return name
}

// units are the places of the package's service units.
var units = []string{"/usr/lib/systemd/system/gatehoused.service", "/lib/systemd/system/gatehoused.service", "/etc/systemd/system/gatehoused.service"}

// Start returns the command that starts the daemon with a site file; a daemon that has waited for
// it serves already, and reads the keys when it starts again.
func Start(config string, waited bool) string {
	for _, unit := range units {
		if _, err := os.Stat(unit); err == nil && config == "/etc/gatehouse/site.toml" {
			return "sudo systemctl " + command.Choose(waited, "restart", "start") + " gatehoused"
		}
	}
	return "sudo gatehoused --config " + config
}
