package osdptest

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"gatehouse/device"
)

// defaultTurnaround is from the end of a command to the reply.
const defaultTurnaround = 3 * time.Millisecond

// Config is what a Reader is like when it leaves the box.
type Config struct {
	Address byte // 0 to 0x7E
	Baud    int  // 0: 9600

	Key     *[16]byte // its own SCBK; nil: none yet
	Install bool      // takes the default key SCBK-D too, until KEYSET gives it its own
	Enforce bool      // out of a session only ID, CAP, COMSET and the handshake

	Vendor         [3]byte
	Model, Version byte
	Serial         uint32
	Firmware       [3]byte      // major, minor, build
	Capabilities   []Capability // nil: a card reader with a keypad, LED, buzzer, display and secure channel

	Outputs, Inputs int
	OutputStatus    bool // answers OUT by OSTATR rather than ACK
	ChecksumOnly    bool // knows no CRC: NAK 1
	Unspecified     bool // sends RAW in format 0 rather than 1 (Wiegand)
	KeepCards       bool // the defect of readers that keep unreported cards for as long as the panel is away

	Turnaround time.Duration // from the end of a command to the reply; 0: 3 ms, negative: none
	Rand       io.Reader     // of the handshake; nil: crypto/rand
	Seed       uint64        // of the misbehaviour
}

// Capability is one record of PDCAP.
type Capability struct{ Function, Compliance, Count byte }

// Reader plays one OSDP reader (the peripheral device of SIA OSDP 2.2) at
// the far side of a Line: commands, sequence numbers, secure channel, and
// what people do at it. It misbehaves on demand (see Misbehave). It has no
// goroutine of its own. Safe for use by many goroutines.
type Reader struct {
	mu      sync.Mutex
	cfg     Config
	own     settings
	dead    bool
	changed func() // tells the line that there is something to do; nil: on no line

	link     link
	reports  reports
	front    front
	mischief mischief
	counts   Counts

	seen  time.Time // of the command at hand
	next  settings  // address and rate that COMSET asked for; rate 0: nothing
	out   []byte    // a reply that is made
	sends []transmission
}

// settings are what a panel or an installer can change at a reader.
type settings struct {
	address byte
	baud    int
	key     *[16]byte // its own; nil: none
	install bool      // it takes the default key too
}

// NewReader makes a reader that has power and waits for its first command.
func NewReader(c Config) *Reader {
	if c.Baud == 0 {
		c.Baud = 9600
	}
	if c.Turnaround == 0 {
		c.Turnaround = defaultTurnaround
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Capabilities == nil {
		c.Capabilities = defaultCapabilities(c)
	}
	return &Reader{
		cfg: c, own: settings{address: c.Address, baud: c.Baud, key: copyKey(c.Key), install: c.Install},
		reports:  reports{unspecified: c.Unspecified},
		front:    front{leds: map[byte]*ledState{}, outputs: make([]relay, c.Outputs)},
		mischief: newMischief(c),
	}
}

func defaultCapabilities(c Config) []Capability {
	check, secure, own := byte(1), byte(1), byte(0)
	if c.ChecksumOnly {
		check = 0
	}
	if c.Install {
		own = 1
	}
	if c.Key == nil && !c.Install {
		secure = 0
	}
	return []Capability{
		{1, 1, byte(c.Inputs)}, {2, 4, byte(c.Outputs)}, {3, 1, 0}, {4, 4, 1}, {5, 2, 1}, {6, 1, 1}, {8, check, 0},
		{9, secure, own}, {10, 128, 0}, {11, 128, 0}, {13, 0, 1}, {16, 2, 0},
	}
}

// identity is the data of PDID.
func (c *Config) identity() []byte {
	b := append(c.Vendor[:len(c.Vendor):len(c.Vendor)], c.Model, c.Version)
	b = binary.LittleEndian.AppendUint32(b, c.Serial)
	return append(b, c.Firmware[:]...)
}

// clientUID is vendor, model, version and the low three bytes of the serial
// number (D.4.3).
func (c *Config) clientUID() []byte { return c.identity()[:8] }

// capabilities is the data of PDCAP.
func (c *Config) capabilities() []byte {
	var b []byte
	for _, f := range c.Capabilities {
		b = append(b, f.Function, f.Compliance, f.Count)
	}
	return b
}

// Present holds a card up. It is reported at the next POLL; false where the
// reader drops it since no panel was there for 8 s, as the specification wants
// (7.11).
func (r *Reader) Present(card device.Card) bool { return r.enqueue(event{card: card}) }

// Press types on the keypad, '0' to '9', '*' and '#': one report, in the order
// of the cards before and after it. False as with Present.
func (r *Reader) Press(keys string) bool {
	b := []byte(keys)
	for i, k := range b {
		switch k {
		case '#':
			b[i] = 0x0D
		case '*':
			b[i] = 0x7F
		}
	}
	return r.enqueue(event{keys: b})
}

func (r *Reader) enqueue(e event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silence(time.Now())
	if r.dead || r.link.heard.IsZero() && !r.cfg.KeepCards {
		return false
	}
	r.reports.queue = append(r.reports.queue, e)
	return true
}

// SetTamper opens or closes the case: reported at the next POLL.
func (r *Reader) SetTamper(open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports.setTamper(open)
}

// SetPowerFailure makes the supply fail or recover: reported at the next POLL.
func (r *Reader) SetPowerFailure(failing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports.setPower(failing)
}

// SetDead takes the reader off the line, or back on it: then it has rebooted.
func (r *Reader) SetDead(dead bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead && !dead {
		r.reboot()
	}
	r.dead = dead
}

// Reboot makes it forget the session, the sequence and what was not reported.
func (r *Reader) Reboot() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reboot()
}

// SetKey exchanges the reader's own key (nil: it has none) and whether it takes
// the default key, as a reset on its back does. The session at hand goes on.
func (r *Reader) SetKey(key *[16]byte, install bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own.key, r.own.install = copyKey(key), install
}

func copyKey(key *[16]byte) *[16]byte {
	if key == nil {
		return nil
	}
	k := *key
	return &k
}

// Misbehave adds a fault.
func (r *Reader) Misbehave(m Mishap) {
	r.mu.Lock()
	r.mischief.add(m)
	changed := r.changed
	r.mu.Unlock()
	if changed != nil {
		changed()
	}
}

// Behave ends all faults.
func (r *Reader) Behave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mischief.mishaps = nil
}

// Misbehaves tells whether any fault is still to strike.
func (r *Reader) Misbehaves() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mischief.mishaps) > 0
}

// State returns all at this moment.
func (r *Reader) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := State{
		Address: r.own.address, Baud: r.own.baud, Key: copyKey(r.own.key), Install: r.own.install,
		Secure: r.link.secure(), Queued: len(r.reports.queue), Counts: r.counts, Front: r.front.now(time.Now()),
	}
	s.Default = s.Secure && r.link.session.key == 0
	return s
}

// attach hangs the reader on a line, which it tells when there is something to do.
func (r *Reader) attach(changed func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = changed
}

// speed returns the baud rate that the reader hears at.
func (r *Reader) speed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.own.baud
}

// flood returns the malformed frames that are due, and whether the flood goes on.
func (r *Reader) flood(now time.Time) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead {
		return nil, false
	}
	return r.mischief.flood(now, r.own.address)
}

func (r *Reader) reboot() {
	r.link.reboot()
	r.reports.queue = nil
}

// silence is what 8 s without a command do.
func (r *Reader) silence(now time.Time) {
	if !r.link.lost(now) {
		return
	}
	kept := r.reports.queue
	r.reboot()
	if r.cfg.KeepCards {
		r.reports.queue = kept
	}
}
