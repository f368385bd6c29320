package plan

import "time"

// What an event's numbers stand for, where a scenario names them.

// GatewayFiles are what may be lost of a gateway, within its state directory.
var GatewayFiles = []string{"journal", "journal/epochs", "journal/hints", "journal/tree.db", "journal/*.db", "grants/grants-a.db", "grants/grants-b.db",
	"grants/grants-?.db", "grants/tenancies.json", "grants", "clock", "keys/building.key", "keys"}

// OldestOfLog stands for one file of several that the log has, and comes after
// GatewayFiles: what holds and where the log goes on does not hang on it.
const OldestOfLog = "journal/oldest.db"

// Harm is what happens to a file.
type Harm int

const (
	Deleted Harm = iota
	Emptied
	Garbled
)

func (h Harm) String() string { return [...]string{"deleted", "emptied", "garbled"}[h] }

// Numbers that a thief gives to his list.
const (
	NextNumber   = iota // the one after that which holds
	HighestTaken        // the highest that is taken, 2^20 above it
	HighestOfAll        // 2^64-1
)

// Wrongs are how wrong a clock may be.
var Wrongs = []time.Duration{30 * time.Second, 50 * time.Minute, 6 * time.Hour, 20 * Day, 50 * Day, 200 * Day, 3 * 365 * Day, 30 * 365 * Day,
	-time.Minute, -5 * time.Hour, -3 * Day, -100 * Day, -20 * 365 * Day, -365 * Day}
