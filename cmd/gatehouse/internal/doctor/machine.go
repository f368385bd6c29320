package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device/uart"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
)

// machine is the machine that this command runs on. Tests replace its root directory.
type machine struct{ root string }

func (m machine) path(parts ...string) string {
	return filepath.Join(append([]string{m.root}, parts...)...)
}

// word returns the content of a file of the kernel; empty: there is none.
func (m machine) word(parts ...string) string {
	raw, _ := os.ReadFile(m.path(parts...))
	return strings.Trim(string(raw), " \n\x00")
}

func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

const asRoot = "run this as root: sudo gatehouse doctor"

// ofMachine returns the checks of the machine.
func (f *seen) ofMachine(now time.Time) []check {
	out := []check{f.machine.wearCheck()}
	if f.site == nil {
		return append(out, groupCheck(""))
	}
	state := f.site.State
	return append(out, diskCheck(state), groupCheck(f.site.Socket), socketCheck(f.site.Socket), keyCheck(f.site.Path("keys")),
		certificateCheck(f.site.Path("keys"), now.In(f.site.Zone())), portCheck(f.site))
}

// short reports whether disk space runs out, in MiB: an import, a rotation of the log and an
// upgrade together need 200, and a larger disk fills slowly enough to be noticed.
func short(free, whole uint64) bool { return free < 200 || free < 2048 && free*10 < whole }

func diskCheck(dir string) check {
	k := check{Name: "disk", State: good, Why: "when it is full, denials are no longer logged and the desk takes nobody in; doors go on"}
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		k.State, k.What, k.Do = bad, fmt.Sprintf("%s: %v", dir, err), "start the daemon, which makes it; or say where it is with state in the site file"
		if denied(err) {
			k.State, k.Do = unseen, asRoot
		}
		return k
	}
	free, whole := uint64(s.Bavail)*uint64(s.Bsize)>>20, uint64(s.Blocks)*uint64(s.Bsize)>>20
	k.What = fmt.Sprintf("%d of %d MiB free at %s", free, whole, dir)
	if short(free, whole) {
		k.State, k.Do = bad, "make room: sudo journalctl --vacuum-size=50M, sudo apt-get clean; or a larger card"
	}
	return k
}

// mostWorn is the tenth of its life from which a card is to be replaced.
const mostWorn = 9

// wearCheck reads the wear that eMMC reports; most SD cards and disks report none.
func (m machine) wearCheck() check {
	k := check{Name: "card wear", State: unseen, What: "this machine's card or disk does not tell", Why: "a worn card loses what was written, first rarely and then at once",
		Do: "replace an SD card after some years, before it fails; keep a backup"}
	files, _ := filepath.Glob(m.path("sys/block/mmcblk*/device/life_time")) // the pattern is right
	for _, file := range files {
		raw, _ := os.ReadFile(file)
		worst := int64(0)
		for _, word := range strings.Fields(string(raw)) {
			n, err := strconv.ParseInt(word, 0, 16)
			if err == nil {
				worst = max(worst, n)
			}
		}
		if worst == 0 { // not defined
			continue
		}
		name := filepath.Base(filepath.Dir(filepath.Dir(file)))
		k.State, k.What, k.Do = good, fmt.Sprintf("%s has used at most %d %% of its life", name, worst*10), ""
		if worst >= mostWorn {
			k.State, k.Do = bad, "make a backup and replace it: docs/restore.md"
			return k
		}
	}
	return k
}

const group = "gatehouse"

func groupCheck(socket string) check {
	k := check{Name: "user", State: good, Why: "only root and the group gatehouse may use the daemon's socket"}
	me, err := user.Current()
	if err != nil {
		k.State, k.What = unseen, err.Error()
		return k
	}
	if k.What = me.Username; me.Uid == "0" {
		return k
	}
	if owner, ok := ownerOf(socket); ok && me.Uid == strconv.Itoa(int(owner)) {
		k.What += ", as whom the daemon runs"
		return k
	}
	all, _ := me.GroupIds()
	g, err := user.LookupGroup(group)
	switch {
	case err != nil:
		k.State, k.What, k.Do = bad, "there is no group gatehouse", "sudo groupadd --system gatehouse, then start the daemon again"
	case !slices.Contains(all, g.Gid):
		k.State, k.What, k.Do = bad, me.Username+" is not in the group gatehouse", "sudo usermod -aG gatehouse "+me.Username+", then log in again"
	default:
		k.What += " is in the group gatehouse"
	}
	return k
}

func ownerOf(path string) (uint32, bool) {
	about, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	s, ok := about.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return s.Uid, true
}

func socketCheck(path string) check {
	k := check{Name: "socket", State: good, Why: "who may use it may open doors"}
	about, err := os.Stat(path)
	switch {
	case denied(err):
		k.State, k.What, k.Do = unseen, err.Error(), asRoot
	case err != nil:
		k.State, k.What, k.Do = bad, err.Error(), "start the daemon, which makes it"
	case about.Mode()&fs.ModeSocket == 0:
		k.State, k.What, k.Do = bad, path+" is no socket", "move it away and start the daemon again"
	case about.Mode().Perm()&0o007 != 0:
		k.State, k.What, k.Do = bad, fmt.Sprintf("%s is open to every user of this machine (%v)", path, about.Mode().Perm()), "start the daemon again, which makes it anew; then find out who changed it"
	default:
		k.What = fmt.Sprintf("%s, %v", path, about.Mode().Perm())
	}
	return k
}

// keyCheck checks who may read the keys; it never reads them.
func keyCheck(dir string) check {
	k := check{Name: "key files", State: good, Why: "who has the building's key can tell which card was at which door, and speak for the gateway"}
	files, err := os.ReadDir(dir)
	switch {
	case denied(err):
		k.State, k.What, k.Do = unseen, err.Error(), asRoot
		return k
	case err != nil:
		k.State, k.What, k.Do = bad, err.Error(), "gatehouse init, or with a registry gatehouse enrol; then start the daemon again"
		return k
	}
	var open []string
	for _, f := range files {
		about, err := f.Info()
		if err == nil && about.Mode().Perm()&0o077 != 0 && filepath.Ext(f.Name()) == ".key" {
			open = append(open, filepath.Join(dir, f.Name()))
		}
	}
	k.What = dir + " is for the daemon alone"
	if len(open) > 0 {
		k.State, k.What = bad, "others can read "+strings.Join(open, " ")
		k.Do = "sudo chmod 600 " + strings.Join(open, " ") + "; if a stranger may have read them, ask the registry's operator to replace the gateway, or run gatehouse init anew"
	}
	return k
}

// soonOver is how long before its end a certificate should have been renewed.
const soonOver = 14 * 24 * time.Hour

func certificateCheck(dir string, now time.Time) check {
	k := check{Name: "certificate", State: good, Why: "by it the registry's broker knows the gateway; the daemon renews it by itself long before its end"}
	raw, err := os.ReadFile(filepath.Join(dir, keys.ClientCertFile))
	if absent(err) {
		k.What = "none is needed: the gateway is not enrolled"
		return k
	}
	block, _ := pem.Decode(raw)
	var cert *x509.Certificate
	if err == nil && block != nil {
		cert, err = x509.ParseCertificate(block.Bytes)
	}
	switch {
	case denied(err):
		k.State, k.What, k.Do = unseen, err.Error(), asRoot
	case cert == nil:
		k.State, k.What, k.Do = bad, filepath.Join(dir, keys.ClientCertFile)+" is no certificate", "ask the registry's operator for a token, and run gatehouse enrol"
	case now.After(cert.NotAfter):
		k.State, k.What, k.Do = bad, "over since "+session.Local(cert.NotAfter.In(now.Location())), "if this machine's clock is right: ask the registry's operator for a token, and run gatehouse enrol"
	case now.After(cert.NotAfter.Add(-soonOver)):
		k.State, k.What, k.Do = bad, "ends "+session.Local(cert.NotAfter.In(now.Location())), "it is not renewed: gatehouse status says why; check the way to the registry"
	default:
		k.What = "good until " + session.Local(cert.NotAfter.In(now.Location()))
	}
	return k
}

// portCheck looks for other programs at the readers' ports.
func portCheck(s *site.Site) check {
	k := check{Name: "ports", State: good, What: "no reader has a port", Why: "another program at a reader's port takes what the reader sends"}
	var found site.Found
	hidden := false
	for _, path := range s.Ports() {
		who, whole, err := uart.Holders(path)
		if errors.Is(err, uart.ErrNoPort) {
			found.Ports = append(found.Ports, site.FoundPort{Path: path, NoPort: true})
		}
		if err != nil {
			continue // the readers' check says that it is not there
		}
		tty := path
		if real, err := filepath.EvalSymlinks(path); err == nil {
			tty = real
		}
		p := site.FoundPort{Path: path, TTY: filepath.Base(tty)}
		for _, h := range who {
			p.Holders = append(p.Holders, site.PortHolder{Command: h.Name, PID: h.PID})
		}
		found.Ports, hidden = append(found.Ports, p), hidden || !whole
		k.What = "nobody else is at the readers' ports"
	}
	if wrong := s.Against(found); len(wrong) > 0 {
		k.State, k.What, k.Do = bad, strings.Join(wrong, "\n"), "each says what"
	} else if hidden {
		k.State, k.What, k.Do = unseen, "only root may see which other programs have the ports open", asRoot
	}
	return k
}
