package gateway

import (
	"cmp"
	"context"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/gateway/watchdog"
	"gatehouse/internal/network"
	"gatehouse/internal/site"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink"
)

// Hardware opens the devices that the site file names. The functions must be safe for concurrent
// use; an error that wraps os.ErrNotExist means that the device is not there (yet).
type Hardware struct {
	Lines  func(device.LinesConfig) (device.Lines, error)
	Output func(device.OutputConfig) (device.Output, error)
	Port   func(device.PortConfig) (device.Port, error)
}

// labelled restricts the site file's names to chips with the labels of the board's profile: a name
// may mean another chip on this machine.
func (hw Hardware) labelled(s *site.Site) Hardware {
	out := hw
	out.Lines = func(c device.LinesConfig) (device.Lines, error) {
		c.Label = s.Label(c.Chip)
		return hw.Lines(c)
	}
	out.Output = func(c device.OutputConfig) (device.Output, error) {
		c.Label = s.Label(c.Chip)
		return hw.Output(c)
	}
	return out
}

// Link is the link to the registry's broker; *mqtt.Link is one.
type Link interface {
	uplink.Link
	Run(ctx context.Context) error
	Status() mqtt.Status
	Again()                         // ends a wait, because the certificate is new
	Spread(time.Duration)           // sets the registry's limit of the wait before the next reconnect
	Look(ctx context.Context) error // checks the broker's certificate again
}

// Options of a Gateway; Site, Hardware and Time are needed.
type Options struct {
	Site     *site.Site
	Hardware Hardware
	Time     clock.Source
	Version  string
	// Verify checks a file of the journal before it is used, in a child process, because a damaged
	// one can kill its process. Without it the check runs in this one.
	Verify func(ctx context.Context, path string) error
	// Dial makes the link to the registry's broker; nil: by MQTT.
	Dial func(mqtt.Config) (Link, error)
	// Formats is the newest wire format that is spoken with the registry, beside all earlier ones;
	// 0: all that this program knows.
	Formats uint64
	// Ready is called once the doors run.
	Ready func()
	// Watchdog is ticked by the loops of the doors; nil: unused.
	Watchdog *watchdog.Watchdog
	Log      zerolog.Logger
	// Network is the way to the registry's HTTPS.
	Network network.Network
	Cadence Cadence
	// Chance returns a random time below limit (above 0), for waits that a city should not end at
	// once; nil: uniform.
	Chance func(limit time.Duration) time.Duration
	// Sync is called before each sync of the journal; a simulated slow disk waits in it. Nil:
	// unused.
	Sync func()
}

// Cadence is how often the daemon polls. A zero is the default of a daemon in a house; a simulation
// of years polls less often.
type Cadence struct {
	Clock time.Duration // at the clock's quality, 10 s
	// Journal is the period of the journal's check of its files, 1 min; known work does not wait
	// for it.
	Journal time.Duration
	// Gather is how long entries wait on their way to the registry for others that
	// are stored in the same moment, 0.
	Gather time.Duration
	// Rest is how long a card has to be away at least before it is held up for the second time,
	// after its door was released, 10 s.
	Rest time.Duration
	// Cover returns how long the next entry that says nothing is away; nil: cover.Gap.
	Cover func() time.Duration
	// Decoys draws a random time below a limit, for holds that nobody ordered; nil: by chance.
	Decoys func(limit time.Duration) time.Duration
}

func (c Cadence) filled() Cadence {
	c.Clock, c.Rest = cmp.Or(max(c.Clock, 0), 10*time.Second), cmp.Or(max(c.Rest, 0), 10*time.Second)
	return c
}
