package commission

import (
	"fmt"
	"strconv"
	"strings"

	"gatehouse/device/serialcard"
	"gatehouse/internal/discovery"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
)

// text is a site file that is being written, as a person writes one.
type text struct{ strings.Builder }

func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// key writes a key with a text value, unless that is empty.
func (t *text) key(indent, key, value string) {
	if value != "" {
		t.line("%s%s = %s", indent, key, quote(value))
	}
}

// quote quotes text for TOML. What no site file may contain is refused by its check.
func quote(s string) string { return strconv.Quote(s) }

func list(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (t *text) head(a Answers, b profile.Board) {
	if a.Gateway == "" {
		a.Gateway = "gw1"
	}
	t.line("# The wiring of one building. docs/site-file.md describes every key; after a change:")
	t.line("# sudo gatehoused check, and start the daemon again.")
	t.key("", "building", a.Building)
	t.key("", "gateway", a.Gateway)
	t.line("board = %s  # %s", quote(b.Name), b.Title)
	t.key("", "time_zone", a.TimeZone)
	t.key("", "registry", a.Registry)
	t.key("", "state", a.State)
	t.key("", "socket", a.Socket)
}

func (t *text) fire(chip string, line int, where string) {
	t.line("\n# The fire panel's contact, between %s and ground. It opens in a fire, so that a cut wire counts as fire.", where)
	t.line("[fire]\nchip = %s\nline = %d\nactive = \"high\"", quote(chip), line)
}

func (t *text) door(d DoorAnswer, chip string, relay int, where string) {
	t.line("\n[[door]]\nid = %s\negress = %s\nlock = %s", quote(d.ID), quote(d.Egress), quote(d.Lock))
	pull := ""
	if d.Pull != "" {
		pull = ", pull = " + quote(d.Pull)
	}
	t.line("relay = {chip = %s, line = %d%s}  # %s", quote(chip), relay, pull, where)
}

// input writes an input of a door; active is the level that means it, empty for low.
func (t *text) input(key, chip string, line int, active, where string) {
	if active != "" {
		active = ", active = " + quote(active)
	}
	t.line("%s = {chip = %s, line = %d%s}  # between %s", key, quote(chip), line, active, where)
}

func (t *text) reader(r discovery.Reader, a ReaderAnswer) {
	const in = "  "
	t.line("\n%s[[door.reader]]", in)
	if r.Identity != "" {
		t.line("%s# it says: %s", in, r.Identity)
	}
	t.key(in, "id", a.ID)
	t.key(in, "direction", a.Direction)
	t.key(in, "profile", a.Profile)
	t.key(in, "type", r.Type)
	if r.D0 != nil {
		t.line("%schip = %s\n%sd0 = %d\n%sd1 = %d", in, quote(r.Chip), in, *r.D0, in, *r.D1)
	}
	t.key(in, "port", r.Port)
	if r.Baud != 0 {
		t.line("%sbaud = %d", in, r.Baud)
	}
	if r.Address != nil {
		t.line("%saddress = %d", in, *r.Address)
	}
	if r.Clear {
		t.line("%ssecurity = %q  # it says that it has no secure channel", in, site.SecurityNone)
	}
	t.key(in, "layout", r.Layout)
	if r.Settings != nil {
		t.line("%ssettings = %s", in, settings(*r.Settings))
	}
	if len(r.Formats) > 0 {
		t.line("%sformats = %s", in, list(r.Formats))
	}
}

// settings writes those that a found reader can have.
func settings(s serialcard.Settings) string {
	return fmt.Sprintf("{base = %s, digits = %s}", quote(s.Base), strings.ReplaceAll(fmt.Sprint(s.Digits), " ", ", "))
}
