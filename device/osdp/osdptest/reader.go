package osdptest

import (
	"crypto/rand"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"gatehouse/device"
)

const (
	offlineAfter      = 8 * time.Second // of silence, then the other side is gone
	defaultTurnaround = 3 * time.Millisecond
	maxRecorded       = 64 // replies that are kept for Replay
)

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
	address byte
	baud    int
	key     *[16]byte
	install bool
	dead    bool
	changed func() // tells the line that there is something to do; nil: on no line

	// The link.
	heard    time.Time // the last good command for this reader; zero: never
	started  bool      // a command with number 0 came
	sequence byte      // of the last command
	command  []byte    // that command, to know its repetition
	reply    []byte    // and its answer
	session  *session
	seen     time.Time // of the command at hand
	sends    []transmission
	frames   [4][]byte // for the sends
	payload  []byte
	next     struct { // what COMSET asked for; baud 0: nothing
		address byte
		baud    int
	}

	// The building's side.
	queue         []event
	tamper, power bool
	statusDue     bool
	leds          map[byte]*ledState
	outputs       []relay
	text          display
	told          State // only its counters and Buzzer

	rand     *mathrand.Rand
	mishaps  []*Mishap
	recorded []recording
	floods   time.Time // up to when the flood was sent
}

// event is something to report by POLL: a card, or keys.
type event struct {
	card device.Card
	keys []byte
}

// transmission is a transmission that starts after a while, its bytes apart by gap.
type transmission struct {
	after, gap time.Duration
	next       bool // as soon as the one before is over
	data       []byte
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
	r := &Reader{
		cfg: c, address: c.Address, baud: c.Baud, install: c.Install,
		leds: map[byte]*ledState{}, outputs: make([]relay, c.Outputs),
		rand: mathrand.New(mathrand.NewPCG(c.Seed, uint64(c.Address))),
	}
	r.setKey(c.Key)
	return r
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
	if r.dead || r.heard.IsZero() && !r.cfg.KeepCards {
		return false
	}
	r.queue = append(r.queue, e)
	return true
}

// SetTamper opens or closes the case: reported at the next POLL.
func (r *Reader) SetTamper(open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statusDue = r.statusDue || r.tamper != open
	r.tamper = open
}

// SetPowerFailure makes the supply fail or recover: reported at the next POLL.
func (r *Reader) SetPowerFailure(failing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statusDue = r.statusDue || r.power != failing
	r.power = failing
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
	r.setKey(key)
	r.install = install
}

func (r *Reader) setKey(key *[16]byte) {
	r.key = nil
	if key != nil {
		k := *key
		r.key = &k
	}
}

func (r *Reader) reboot() {
	r.restart()
	r.heard, r.started, r.queue = time.Time{}, false, nil
}

// restart forgets the session and the last answer.
func (r *Reader) restart() {
	r.session, r.command, r.reply = nil, r.command[:0], r.reply[:0]
}

// silence is what 8 s without a command do.
func (r *Reader) silence(now time.Time) {
	if r.heard.IsZero() || now.Sub(r.heard) <= offlineAfter {
		return
	}
	kept := r.queue
	r.reboot()
	if r.cfg.KeepCards {
		r.queue = kept
	}
}
