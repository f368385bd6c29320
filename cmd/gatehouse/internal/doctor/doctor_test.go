package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"gatehouse/internal/control"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write0(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), mode))
}

// says wants a check to have come out so, with the words in it and, where it is no good one,
// something to do.
func says(t *testing.T, k check, want state, words ...string) {
	t.Helper()
	text := k.What + "\n" + k.Do
	if k.State != want || k.Why == "" || (want == bad && k.Do == "") {
		t.Errorf("%+v; want %s", k, want)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s: %q does not say %q", k.Name, text, w)
		}
	}
}

// TestWear: what eMMC tells of its life; SD cards tell nothing.
func TestWear(t *testing.T) {
	for told, want := range map[string]state{"": unseen, "0x00 0x00\n": unseen, "0x01 0x02\n": good, "0x01 0x09\n": bad, "0x0b 0x01\n": bad, "worn\n": unseen} {
		m := machine{root: t.TempDir()}
		if told != "" {
			write0(t, m.path("sys/block/mmcblk0/device/life_time"), told, 0o600)
		}
		says(t, m.wearCheck(), want)
	}
}

// TestCertificate: one that should have been renewed long ago is told before its end.
func TestCertificate(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	says(t, certificateCheck(dir, now), good, "not enrolled")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	end := now.Add(60 * 24 * time.Hour)
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	must(t, err)
	path := filepath.Join(dir, keys.ClientCertFile)
	write0(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o600)
	says(t, certificateCheck(dir, now), good, "good until")
	says(t, certificateCheck(dir, end.Add(-13*24*time.Hour)), bad, "ends")
	says(t, certificateCheck(dir, end.Add(time.Hour)), bad, "over since", "gatehouse enrol")
	write0(t, path, "not PEM", 0o600)
	says(t, certificateCheck(dir, now), bad, "no certificate")
}

// TestKeyFiles: keys that others may read are told with the command that ends it, and after
// it nothing is told.
func TestKeyFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	says(t, keyCheck(dir), bad, "gatehouse init")
	path := filepath.Join(dir, keys.BuildingKeyFile)
	write0(t, path, "", 0o600)
	must(t, os.Chmod(path, 0o640)) // whatever the umask
	write0(t, filepath.Join(dir, "issuer.pub"), "", 0o600)
	says(t, keyCheck(dir), bad, "sudo chmod 600 "+path)
	must(t, os.Chmod(path, 0o600))
	says(t, keyCheck(dir), good)
}

// TestBackup: what is missing for the day on which the gateway burns is told, each with what to do.
func TestBackup(t *testing.T) {
	now := time.Now()
	recent, long := now.Add(-time.Hour), now.Add(-8*24*time.Hour)
	whole := control.Recovery{Code: &long, Proved: &long, Made: &recent, Registry: &control.Offsite{Made: &recent, Kept: &recent}}
	with := func(change func(*control.Recovery)) control.Recovery {
		r := whole
		change(&r)
		return r
	}
	says(t, backupCheck(whole, nil, now), good, "with a copy elsewhere")
	says(t, backupCheck(with(func(r *control.Recovery) { r.Registry, r.Away = nil, &control.Away{Made: &recent} }), nil, now), good, "with a copy elsewhere")
	says(t, backupCheck(control.Recovery{}, nil, now), bad, "gatehouse recovery new")
	says(t, backupCheck(with(func(r *control.Recovery) { r.Problem = "disk full" }), nil, now), bad, "disk full")
	says(t, backupCheck(with(func(r *control.Recovery) { r.Made = &long }), nil, now), bad, "none within 7 days")
	says(t, backupCheck(with(func(r *control.Recovery) { r.Proved = nil }), nil, now), bad, "recovery rehearse")
	says(t, backupCheck(with(func(r *control.Recovery) { r.Registry = nil }), nil, now), unseen, "whether a copy is elsewhere", "gatehouse backup")
	says(t, backupCheck(with(func(r *control.Recovery) { r.Registry, r.Away = nil, &control.Away{Made: &long} }), nil, now), bad, "no copy elsewhere", "gatehouse backup")
	says(t, backupCheck(with(func(r *control.Recovery) {
		r.Registry = &control.Offsite{Made: &long, Kept: &long, Problem: "its program is older"}
	}), nil, now), bad, "its program is older", "no copy elsewhere")
	says(t, backupCheck(control.Recovery{}, errors.New("not allowed"), now), unseen, "as root")
}

// TestSocket: who may open doors.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	says(t, socketCheck(path), bad, "start the daemon")
	write0(t, path, "", 0o600)
	says(t, socketCheck(path), bad, "is no socket")
	says(t, groupCheck(path), good) // root, or whose file it is
}

// TestDisk: how much room is enough.
func TestDisk(t *testing.T) {
	if k := diskCheck(t.TempDir()); k.State == unseen || !strings.Contains(k.What, "MiB free") {
		t.Errorf("%+v", k)
	}
	says(t, diskCheck(filepath.Join(t.TempDir(), "none")), bad, "state in the site file")
	for _, c := range []struct {
		free, whole uint64
		want        bool
	}{{199, 400, true}, {200, 400, false}, {1000, 14000, true}, {1500, 14000, false}, {2048, 200_000, false}} {
		if got := short(c.free, c.whole); got != c.want {
			t.Errorf("%d of %d MiB: short %v", c.free, c.whole, got)
		}
	}
}

// TestPorts: a port that is a file is told, and one that nobody else has is none.
func TestPorts(t *testing.T) {
	master, slave, err := pty.Open()
	must(t, err)
	defer master.Close()
	defer slave.Close()
	file := filepath.Join(t.TempDir(), "file")
	write0(t, file, "", 0o600)
	for path, want := range map[string]state{slave.Name(): good, file: bad, "/dev/no-such-port": good} {
		s, err := site.Parse(fmt.Appendf(nil, `building = "b"
gateway = "gw1"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "gpiochip0", line = 17, pull = "down"}
[[door.reader]]
type = "serial"
port = %q
`, path))
		must(t, err)
		if k := portCheck(s); k.State != want && !(k.State == unseen && os.Getuid() != 0) {
			t.Errorf("%s: %+v, want %s", path, k, want)
		}
	}
}

// TestOfStatus: each thing that the daemon says is wrong makes its check bad, and no other.
func TestOfStatus(t *testing.T) {
	now := time.Now()
	fine := func() control.Status {
		return control.Status{Initialised: true, Clock: control.Clock{Now: now, Quality: "ntp", Trusted: true}, Grants: control.Grants{Version: 3, Copies: 2, Issued: &now},
			Uplink: &control.Uplink{State: "in step"}, Doors: []control.Door{{ID: "front", State: "normal", Lock: "ok", Devices: []control.Device{{ID: "in", Type: "osdp", Online: true}}}}}
	}
	for name, c := range map[string]struct {
		change func(*control.Status)
		word   string
	}{
		"":                   {func(*control.Status) {}, ""},
		"doors and locks":    {func(s *control.Status) { s.Doors[0].Lock = "line busy" }, "line busy"},
		"readers and inputs": {func(s *control.Status) { s.Doors[0].Devices[0].Online = false }, "has not answered"},
		"clock":              {func(s *control.Status) { s.Clock.Trusted = false }, "not trusted"},
		"list of grants":     {func(s *control.Status) { s.Grants.Copies = 1 }, "1 good copy"},
		"log":                {func(s *control.Status) { s.Journal.Degraded = "disk_full" }, "disk_full"},
		"registry":           {func(s *control.Status) { s.Uplink.State, s.Uplink.Link = "down", "no route" }, "no route"},
		"to do":              {func(s *control.Status) { s.Problems = []string{"sweep the stairs"} }, "sweep"},
	} {
		st := fine()
		c.change(&st)
		for _, k := range ofStatus(st) {
			if k.Name == name {
				says(t, k, bad, c.word)
			} else {
				says(t, k, good)
			}
		}
	}
}

// TestDaemonAway: what is said where nobody answers, and where this user may not ask.
func TestDaemonAway(t *testing.T) {
	says(t, daemonCheck(control.Status{}, &control.Error{Message: "no daemon answers at /s", Hint: "start it"}), bad, "start it", "journalctl")
	if k := daemonCheck(control.Status{}, &control.Error{Message: "not allowed to use /s", Hint: "join the group gatehouse"}); k.State != unseen || k.Do == "" {
		t.Errorf("%+v", k)
	}
	says(t, daemonCheck(control.Status{}, errors.New("deadline exceeded")), bad, "does not answer")
}

// TestReportRow: the row has as many cells as the table in docs/hardware.md, whatever the
// board calls itself.
func TestReportRow(t *testing.T) {
	m := machine{root: t.TempDir()}
	write0(t, m.path("proc/device-tree/model"), "Raspberry | Pi 4\x00", 0o600)
	write0(t, m.path("etc/os-release"), "NAME=x\nPRETTY_NAME=\"Debian 12\"\n", 0o600)
	var row strings.Builder
	(&seen{machine: m}).report("1.0").write(&row)
	if n := strings.Count(row.String(), "|"); n != 8 || !strings.Contains(row.String(), "Raspberry / Pi 4 | Linux unknown, Debian 12") || !strings.Contains(row.String(), "nothing: the daemon gave no answer") {
		t.Errorf("%q has %d bars", &row, n)
	}
}

// TestReportOfWhatWorks: a board of which no line works, and a reader that does not answer, are named in
// no row, whatever the site file says.
func TestReportOfWhatWorks(t *testing.T) {
	house, err := site.Parse([]byte(`building = "b"
gateway = "gw1"
board = "raspberry-pi-4"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "pinctrl-bcm2711", line = 17}
contact = {chip = "pinctrl-bcm2711", line = 24}
[[door.reader]]
id = "in"
type = "serial"
port = "/dev/ttyUSB0"
profile = "rdm6300"
`))
	must(t, err)
	for name, c := range map[string]struct {
		lock            string
		contact, reader bool
		profiles, lacks string
	}{
		"nothing works": {"no such chip", false, false, "", "no line could be driven"},
		"the relay":     {"ok", false, false, "raspberry-pi-4", ""},
		"the contact":   {"no such chip", true, false, "raspberry-pi-4", ""},
		"the reader":    {"no such chip", false, true, "rdm6300", ""},
		"all of it":     {"ok", true, true, "raspberry-pi-4 rdm6300", ""},
	} {
		st := control.Status{Doors: []control.Door{{ID: "front", Lock: c.lock,
			Devices: []control.Device{{ID: "contact", Online: c.contact}, {ID: "in", Type: "serial", Online: c.reader}}}}}
		h := (&seen{machine: machine{root: t.TempDir()}, site: house, status: &st}).report("1.0")
		if got := strings.Join(h.Profiles, " "); got != c.profiles || (c.lacks == "") != (h.lacks == "") || !strings.Contains(h.lacks, c.lacks) {
			t.Errorf("%s: %q, lacks %q", name, got, h.lacks)
		}
		if (len(h.Readers) > 0) != c.reader {
			t.Errorf("%s: readers %q", name, h.Readers)
		}
	}
}

// TestSummary: the number of checks that need somebody, in the right form; none is no error.
func TestSummary(t *testing.T) {
	for want, states := range map[string][]state{
		"1 of 3 checks needs somebody": {good, bad, unseen},
		"2 of 3 checks need somebody":  {bad, bad, good},
		"1 of 1 check needs somebody":  {bad},
		"":                             {good, unseen},
	} {
		var all []check
		for _, s := range states {
			all = append(all, check{State: s})
		}
		got := ""
		if err := summary(all); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", states, got, want)
		}
	}
}
