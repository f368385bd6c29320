package gateway_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/wiegand"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

// bus puts an OSDP reader on a pty in place of the yard's serial reader.
func (h *house) bus(c osdptest.Config, more string) *osdptest.Reader {
	h.t.Helper()
	c.Address = 5
	r := osdptest.NewReader(c)
	line, err := osdptest.NewTerminal(filepath.Join(h.dir, "bus"), r)
	must(h.t, err)
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = line.Run(ctx) }()
	h.t.Cleanup(func() { cancel(); <-done; _ = line.Close() })
	h.yardReader("type = \"osdp\"\nport = \"" + line.Path() + "\"\nbaud = 115200\naddress = 5\n" + more)
	return r
}

// yardReader puts other settings in place of those of the yard's reader.
func (h *house) yardReader(settings string) {
	h.t.Helper()
	was := "type = \"serial\"\nport = \"" + h.dir + "/tty\"\n"
	if !strings.Contains(h.site, was) {
		h.t.Fatal("the site has no such reader")
	}
	h.site = strings.Replace(h.site, was, settings, 1)
}

// reader is what the tool shows of the yard's reader.
func (h *house) reader() control.Reader {
	h.t.Helper()
	all, err := h.client.Readers(h.t.Context())
	must(h.t, err)
	i := slices.IndexFunc(all, func(r control.Reader) bool { return r.Door == "yard" })
	if i < 0 || all[i].OSDP == nil {
		h.t.Fatalf("readers: %+v", all)
	}
	return all[i]
}

func (h *house) line(want string) {
	h.t.Helper()
	h.eventually("the line is "+want, func() bool { return h.reader().Line == want })
}

func card40() device.Card { return device.CardOf(emNumber, 40) }

// present holds the card up after a poll has found nothing to report, since a
// reader that just came is not believed: every other command is a poll.
func (h *house) present(r *osdptest.Reader, c device.Card) {
	h.t.Helper()
	h.eventually("the reader is online", func() bool { return h.reader().Online })
	const poll = 0x60
	polls := r.State().Commands[poll]
	h.eventually("polls find nothing", func() bool { return r.State().Commands[poll] > polls+3 })
	if !r.Present(c) {
		h.t.Fatal("the reader hears no panel")
	}
}

// TestOSDPPairing: as delivered it counts for nothing; paired by an act on site
// its card opens; the key is on disk for the next start, and the log has it all.
func TestOSDPPairing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.bus(osdptest.Config{Install: true, Enforce: true}, "")
	h.start()
	h.eventually("no key is known", h.has("yard offline no_key", 1))
	if got := h.reader(); got.Online || got.Line != control.LineWaiting || got.Hint == "" {
		t.Errorf("before: %+v", got)
	}
	if err := h.client.Rekey(t.Context(), "yard", "in"); err == nil {
		t.Error("a reader without a key got another")
	}
	for _, minutes := range []int{0, 11} {
		if err := h.client.Install(t.Context(), "yard", "in", control.Install{Minutes: minutes}); err == nil {
			t.Errorf("a window of %d minutes", minutes)
		}
	}
	must(t, h.client.Install(t.Context(), "yard", "in", control.Install{Minutes: 1}))
	h.line(control.LineSecured)
	if err := h.client.Install(t.Context(), "yard", "in", control.Install{Minutes: 1}); err == nil || !strings.Contains(err.Error(), "a key of its own") {
		t.Errorf("a window that nobody needs: %v", err)
	}
	h.opens("yard", "the yard releases", func() { h.present(r, card40()) })
	for _, what := range []string{"install_opened", "key_sent", "key_proved", "install_closed"} {
		h.eventually(what, h.has("yard reader "+what, 1))
	}
	file := filepath.Join(h.dir, "state", "readers", "yard-in.key")
	info, err := os.Stat(file)
	must(t, err)
	text, err := os.ReadFile(file)
	must(t, err)
	key := r.State().Key
	if info.Mode().Perm() != 0o600 || key == nil || string(text) != hex.EncodeToString(key[:])+"\n" {
		t.Errorf("key file of mode %v is not the reader's key", info.Mode())
	}
	if strings.Contains(h.log.String(), strings.TrimSpace(string(text))) {
		t.Error("the log has the key")
	}
	must(t, h.client.Rekey(t.Context(), "yard", "in"))
	after, err := os.ReadFile(file)
	must(t, err)
	if k := r.State().Key; *k == *key || string(after) != hex.EncodeToString(k[:])+"\n" {
		t.Error("answered before the reader's new key was the one on disk")
	}
	must(t, h.ended())
	must(t, os.Chmod(file, 0o644))
	h.start()
	h.line(control.LineSecured)
	must(t, h.client.Rekey(t.Context(), "yard", "in"))
	if n := strings.Count(h.log.String(), "chmod 600"); n != 1 {
		t.Errorf("told %d times that others can read the key", n)
	}
}

// TestOSDPKeyFile: a key that somebody put there is used; with another one, or
// one that anybody would try, the reader is told as it is, and opens nothing.
func TestOSDPKeyFile(t *testing.T) {
	t.Parallel()
	const good = "9f3c1d0b7a64e85f20c9b1d7446af3e2"
	const weak = "303132333435363738393a3b3c3d3e3f\n"
	for name, c := range map[string]struct{ file, next, want, hint string }{
		"right":     {good + "\n", "", "", ""},
		"upper":     {strings.ToUpper(good), "", "", ""},
		"another":   {"7a64e85f20c9b1d7446af3e29f3c1d0b\n", "", "wrong_key", "pair it again"},
		"weak":      {weak, "", "weak_key", "mend its key file, or remove it"},
		"weak next": {good, weak, "weak_key", "in.key.next: "},
		"no key":    {"secret\n", "", "no_key", "mend its key file"},
		"too long":  {good + "00\n", "", "no_key", "32 hex digits"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			file := filepath.Join(h.dir, "in.key")
			must(t, os.WriteFile(file, []byte(c.file), 0o600))
			if c.next != "" {
				must(t, os.WriteFile(file+".next", []byte(c.next), 0o600))
			}
			var key [16]byte
			_, err := hex.Decode(key[:], []byte(good))
			must(t, err)
			r := h.bus(osdptest.Config{Key: &key, Enforce: true}, "key_file = \""+file+"\"\n")
			h.start()
			if c.want == "" {
				h.line(control.LineSecured)
				h.opens("yard", "the yard releases", func() { h.present(r, card40()) })
				return
			}
			var got control.Reader
			h.eventually(c.want, func() bool { got = h.reader(); return got.Fault == c.want && !got.Online })
			if !strings.Contains(got.Hint, c.hint) || got.Line != control.LineWaiting {
				t.Errorf("%+v", got)
			}
			if after, err := os.ReadFile(file); err != nil || string(after) != c.file {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

// TestOSDPClearText: only where the site file says so.
func TestOSDPClearText(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.bus(osdptest.Config{}, "security = \"none\"\nformats = [\"H10301\"]\n")
	h.start()
	h.line(control.LineClear)
	h.present(r, card40()) // not of the format
	h.eventually("a card of another length is a fault", h.has("yard fault wrong_length", 1))
	f, _ := wiegand.Lookup("H10301")
	c, err := f.Encode(wiegand.Fields{Facility: 123, Card: 4567, HasFacility: true})
	must(t, err)
	h.opens("yard", "the yard releases", func() { r.Present(c) })
	if err := h.client.Install(t.Context(), "yard", "in", control.Install{Minutes: 1}); err == nil || !strings.Contains(err.Error(), "clear text") {
		t.Errorf("install: %v", err)
	}
	h.eventually("something is shown at the reader", func() bool { return len(r.State().LEDs) > 0 })
}

// TestOSDPConfigure: the reader's address and speed change by a command. An
// address that is used on another bus, or by the reader itself, is free.
func TestOSDPConfigure(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.bus(osdptest.Config{}, "security = \"none\"\n")
	h.site += "[[door.reader]]\nid = \"side\"\ntype = \"osdp\"\nport = \"" + filepath.Join(h.dir, "bus") + "\"\nbaud = 115200\naddress = 7\nsecurity = \"none\"\n" +
		"[[door.reader]]\nid = \"far\"\ntype = \"osdp\"\nport = \"" + filepath.Join(h.dir, "other") + "\"\naddress = 9\nsecurity = \"none\"\n"
	h.start()
	h.line(control.LineClear)
	h.eventually("online", func() bool { return h.reader().Online })
	must(t, h.client.Configure(t.Context(), "yard", "in", control.Configure{Address: 9, Baud: 115200}))
	h.eventually("the new address", func() bool { return r.State().Address == 9 && h.reader().OSDP.Address == 9 && h.reader().Online })
	if err := h.client.Configure(t.Context(), "yard", "in", control.Configure{Address: 127, Baud: 9600}); err == nil {
		t.Error("the address of everybody was taken")
	}
	if err := h.client.Configure(t.Context(), "yard", "in", control.Configure{Address: 7, Baud: 115200}); err == nil || !strings.Contains(err.Error(), "yard/side") {
		t.Errorf("the address of another reader of the bus: %v", err)
	}
	if err := h.client.Configure(t.Context(), "front", "in", control.Configure{}); err == nil || !strings.Contains(err.Error(), "wiegand") {
		t.Errorf("a Wiegand reader: %v", err)
	}
	if err := h.client.Rekey(t.Context(), "yard", "out"); err == nil {
		t.Error("a reader that is not there")
	}
	must(t, h.client.Configure(t.Context(), "yard", "in", control.Configure{Address: 9, Baud: 57600})) // its own address
	h.eventually("the new speed", func() bool { return r.State().Baud == 57600 })
}

// TestPass: a code opens once, also after a restart of the daemon, and one that
// was made before the restart and never shown opens after it.
func TestPass(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	scanner, err := devicetest.NewSerialTerminal(filepath.Join(h.dir, "qr"), "code")
	must(t, err)
	t.Cleanup(func() { _ = scanner.Close() })
	h.yardReader("type = \"code\"\nport = \"" + scanner.Path() + "\"\n")
	h.start()
	tenancy := h.tenancy()
	pass := func() string {
		p := qrpass.Pass{Tenancy: tenancy, From: uint32(time.Now().Unix())}
		p.Until = p.From + 300
		_, _ = rand.Read(p.ID[:])
		text, err := p.Sign("lane-7", 0, h.issuer)
		must(t, err)
		return text
	}
	used, kept := pass(), pass()
	opens := func(what, text string) {
		t.Helper()
		h.opens("yard", what, func() { must(t, scanner.Scan(t.Context(), text)) })
	}
	h.eventually("the first entries are read back", func() bool { return strings.Contains(h.log.String(), "passes") })
	opens("a pass opens", used)
	must(t, h.ended())
	must(t, scanner.Free())
	h.start()
	h.eventually("the used ones are known", func() bool { return strings.Count(h.log.String(), "passes") == 2 })
	must(t, scanner.Scan(t.Context(), used))
	h.eventually("it opens once", h.has("yard access denied replayed", 1))
	opens("a fresh one of before the restart opens", kept)
	must(t, scanner.Scan(t.Context(), "https://example.org"))
	h.eventually("any other code is nothing", h.has("yard access denied bad_code", 1))
	if text := h.log.String(); strings.Contains(text, "GHP1") || strings.Contains(text, "example.org") {
		t.Error("the log has a code")
	}
}

// TestUnsafeReaders: what the site file refuses, and what it says.
func TestUnsafeReaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ reader, want string }{
		"no address":         {`type = "osdp"` + "\nport = \"/dev/bus\"", "address is missing"},
		"address of all":     {`type = "osdp"` + "\nport = \"/dev/bus\"\naddress = 127", "0 to 126"},
		"unknown security":   {`type = "osdp"` + "\nport = \"/dev/bus\"\naddress = 0\nsecurity = \"maybe\"", "required, none"},
		"key without use":    {`type = "osdp"` + "\nport = \"/dev/bus\"\naddress = 0\nsecurity = \"none\"\nkey_file = \"/x\"", "remove one"},
		"foreign key":        {`type = "serial"` + "\nport = \"/dev/x\"\naddress = 0", "address belongs to readers of type osdp"},
		"PIN without keys":   {`type = "serial"` + "\nport = \"/dev/x\"\npin = \"with-card\"", "needs a reader with keys"},
		"PIN before the way": {`type = "osdp"` + "\nport = \"/dev/x\"\naddress = 1\npin = \"with-card\"\ndirection = \"out\"", "no rule may stand before the way out"},
		"no such profile":    {`profile = "magic"` + "\nport = \"/dev/x\"", "magic"},
		"other type":         {`profile = "rdm6300"` + "\ntype = \"osdp\"\nport = \"/dev/x\"", "leave type out"},
		"code as card":       {`type = "serial"` + "\nport = \"/dev/x\"\nlayout = \"code\"", `of type "code"`},
		"bad settings":       {`type = "serial"` + "\nport = \"/dev/x\"\nlayout = \"line\"\nsettings = {base = \"roman\"}", "roman"},
		"bad keypad":         {"type = \"wiegand\"\nchip = \"sim0\"\nd0 = 20\nd1 = 21\nkeypad = {kind = \"organ\"}", "organ"},
		"two in one":         {`type = "pn532"` + "\nport = \"/dev/y\"\n[[door.reader]]\nid = \"b\"\ntype = \"osdp\"\nport = \"/dev/y\"\naddress = 1", "is used for"},
		"two speeds":         {`type = "osdp"` + "\nport = \"/dev/y\"\naddress = 2\n[[door.reader]]\nid = \"b\"\ntype = \"osdp\"\nport = \"/dev/y\"\naddress = 1\nbaud = 19200", "have the same"},
		"one address":        {`type = "osdp"` + "\nport = \"/dev/y\"\naddress = 1\n[[door.reader]]\nid = \"b\"\ntype = \"osdp\"\nport = \"/dev/y\"\naddress = 1", "each needs its own"},
		"one key file":       {`type = "osdp"` + "\nport = \"/dev/y\"\naddress = 1\nkey_file = \"/k/a\"\n[[door.reader]]\nid = \"b\"\ntype = \"osdp\"\nport = \"/dev/y\"\naddress = 2\nkey_file = \"/k//a\"", "keep their keys in one file"},
		"one name": {`type = "osdp"` + "\nport = \"/dev/y\"\naddress = 1\n[[door.reader]]\nid = \"b-c\"\ntype = \"osdp\"\nport = \"/dev/y\"\naddress = 2\n" +
			"[[door]]\nid = \"yard-b\"\negress = \"mechanical\"\nlock = \"fail-secure\"\nrelay = {chip = \"sim0\", line = 30, pull = \"down\"}\n[[door.reader]]\nid = \"c\"\ntype = \"osdp\"\nport = \"/dev/y\"\naddress = 3", "keep their keys in one file"},
	} {
		h := newHouse(t)
		h.yardReader(c.reader + "\n")
		if _, err := site.Parse([]byte(h.site)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestReaderProfile: a profile fills in what the site file leaves out.
func TestReaderProfile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.yardReader("profile = \"id-12la\"\nport = \"/dev/x\"\n")
	s, err := site.Parse([]byte(h.site))
	must(t, err)
	r := s.Doors[1].Readers[0]
	if r.Type != "serial" || r.Layout != "id12" || r.Baud != 9600 {
		t.Errorf("%+v", r)
	}
}

// tenancy is that of the one grant.
func (h *house) tenancy() (id wire.ID) {
	h.t.Helper()
	must(h.t, h.tryEdit(func(e *grantlist.Editor) error { id = e.Grants()[0].Tenancy; return nil }))
	return id
}

// TestTapsAgain: who taps at a serial reader again and again is let in again after
// each release; a Wiegand reader repeats a card that rests there, and that is one
// entry.
func TestTapsAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.yardReader("profile = \"id-12la\"\nport = \"" + h.dir + "/tty\"\n") // which tells of each tap
	h.start()
	take := h.rest()
	h.eventually("let in three times", func() bool {
		must(t, h.serial.Send([]byte("\x0201007B11D7BC\r\n\x03")))
		time.Sleep(1200 * time.Millisecond) // away for a second, as the reader has it
		return h.kinds()["yard access granted granted"] >= 3
	})
	gone := take()
	if n := h.kinds()["front access granted granted"]; n < 1 || n > 1+gone {
		t.Errorf("%d entries of a card that rests on a Wiegand reader, and was not repeated for a second %d times", n, gone)
	}
}

// rest leaves the one card on the front's reader, which repeats it four times a
// second. take ends that, and tells how often the machine was too slow for it: then
// the card was gone.
func (h *house) rest() (take func() (gone int)) {
	h.t.Helper()
	f, _ := wiegand.Lookup("H10301")
	c, err := f.Encode(wiegand.Fields{Facility: 123, Card: 4567, HasFacility: true})
	must(h.t, err)
	ctx, cancel := context.WithCancel(h.t.Context())
	slow, failed := 0, error(nil)
	var resting sync.WaitGroup
	resting.Go(func() {
		for last := time.Now(); ctx.Err() == nil && failed == nil; last = time.Now() {
			failed = h.source.Send(c) // which waits for the pause between two frames
			if time.Since(last) > time.Second {
				slow++
			}
		}
	})
	return func() int {
		cancel()
		resting.Wait()
		must(h.t, failed)
		return slow
	}
}
