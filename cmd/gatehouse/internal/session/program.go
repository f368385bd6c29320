package session

import (
	"os"
	"path/filepath"

	"gatehouse/internal/command"
)

// Program is a program of ours: as it is named, or beside this one, or where the system has
// its programs.
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

// units are where the service manager finds what the package brings.
var units = []string{"/usr/lib/systemd/system/gatehoused.service", "/lib/systemd/system/gatehoused.service", "/etc/systemd/system/gatehoused.service"}

// Start is the command that starts the daemon with a site file here; one that has waited
// for it serves already, and reads the keys when it starts again.
func Start(config string, waited bool) string {
	for _, unit := range units {
		if _, err := os.Stat(unit); err == nil && config == "/etc/gatehouse/site.toml" {
			return "sudo systemctl " + command.Choose(waited, "restart", "start") + " gatehoused"
		}
	}
	return "sudo gatehoused --config " + config
}
