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

// Hardware opens what the site file names. The functions must be safe for
// concurrent use; an error that wraps os.ErrNotExist means that the thing is
// not there (yet).
type Hardware struct {
	Lines  func(device.LinesConfig) (device.Lines, error)
	Output func(device.OutputConfig) (device.Output, error)
	Port   func(device.PortConfig) (device.Port, error)
}

// labelled opens lines only of the chips that the board's profile knows under the
// site file's names: a name may mean another chip on this machine.
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

// Link is the way to the registry's broker; *mqtt.Link is one.
type Link interface {
	uplink.Link
	Run(ctx context.Context) error
	Status() mqtt.Status
	Again()                         // ends a wait: the certificate is a new one
	Spread(time.Duration)           // what the registry wishes for the next reconnect
	Look(ctx context.Context) error // looks at the broker's certificate anew
}

// Options of a Gateway; Site, Hardware and Time are needed.
type Options struct {
	Site     *site.Site
	Hardware Hardware
	Time     clock.Source
	Version  string
	// Verify checks a file of the journal before it is used, in a child process:
	// a damaged one can kill who opens it. Without it the check runs in this one.
	Verify func(ctx context.Context, path string) error
	// Dial makes the link to the registry's broker; nil: by MQTT.
	Dial func(mqtt.Config) (Link, error)
	// Formats are the wire formats that it speaks with the registry, 1 to this one;
	// 0: all that this program knows.
	Formats uint64
	// Ready is called once the doors run.
	Ready func()
	// Watchdog hears the loops of the doors; nil: nobody listens.
	Watchdog *watchdog.Watchdog
	Log      zerolog.Logger
	// Network is where the registry's HTTPS is.
	Network network.Network
	Cadence Cadence
	// Chance returns a time by chance below a limit above 0, for waits that a city
	// should not end at once; nil: any.
	Chance func(limit time.Duration) time.Duration
	// Sync is called before each sync of the journal: a slow disk of a simulation
	// waits in it. Nil: nothing is.
	Sync func()
}

// Cadence is how often the daemon looks at what tells it nothing by itself. A
// zero is what a daemon in a house uses; a simulation of years looks less often.
type Cadence struct {
	Clock time.Duration // at the clock's quality, 10 s
	// Journal is how often the journal looks after its files, 1 min; when something
	// is to be done for them it does not wait for that.
	Journal time.Duration
	// Gather is how long entries wait on their way to the registry for others that
	// are stored in the same moment, 0.
	Gather time.Duration
	// Rest is how long a card is away at least before it is held up for the second
	// time, after the door was released for it, 10 s.
	Rest time.Duration
}

func (c Cadence) filled() Cadence {
	c.Clock, c.Rest = cmp.Or(max(c.Clock, 0), 10*time.Second), cmp.Or(max(c.Rest, 0), 10*time.Second)
	return c
}
