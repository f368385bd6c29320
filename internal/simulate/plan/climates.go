package plan

import (
	"math/rand/v2"
	"time"
)

// climates are what may go wrong in a run. Each seed has one, so that some runs
// show that nothing is told where nothing is wrong.
var climates = [][]string{
	{},
	{"machines"},
	{"clocks"},
	{"links", "machines"},
	{"restores"},
	{"losses"},
	{"restores", "links"},
	{"clocks", "machines", "links"},
	{"landlord"},
}

// rare are climates that some of the seeds have, by dice of their own.
type rare struct {
	salt     uint64
	oneIn    int
	climates [][]string
}

// of is the climate of a seed that has one of these; nil: it has another.
func (r rare) of(seed uint64) []string {
	dice := rand.New(rand.NewPCG(seed, r.salt))
	if dice.IntN(r.oneIn) > 0 {
		return nil
	}
	return r.climates[dice.IntN(len(r.climates))]
}

// rarer come in the place of the others, the last of them first: what gets old, fills up,
// comes back or is there for minutes only, and one part of the whole in an enemy's hands.
var rarer = []rare{
	{0x706f6c6963f7, 12, [][]string{
		{"policy", "clocks"},
		{"policy", "machines"},
		{"policy", "links"},
	}},
	{0x6465636179, 4, [][]string{
		{"certificates"},
		{"certificates", "machines"},
		{"year"},
		{"disks"},
		{"disks", "machines"},
		{"reinstate"},
		{"reinstate", "restores"},
		{"reinstate", "links"},
		{"visitors", "clocks"},
		{"visitors", "machines"},
	}},
	{0x6d616e6461accd, 8, [][]string{
		{"mandates"},
		{"mandates", "machines"},
		{"mandates", "restores"},
		{"mandates", "links"},
		{"mandates", "losses"},
	}},
	{0x656e656d79, 6, [][]string{{"hostile gateway"}, {"hostile broker"}, {"hostile witness"}, {"hostile issuer"}}},
}

// share is one kind of event of a climate, and how often it comes among the others.
type share struct {
	kind   string
	weight int
	end    ending
}

// ending is the kind of event that ends another, some time after it; none: nothing does.
type ending struct {
	kind        string
	least, most time.Duration
}

// drawn are the events that come by weight: those of people, and of each climate.
var drawn = map[string][]share{
	"people": {
		{"swipe", 40, ending{}},
		{"check in", 6, ending{}},
		{"leave", 2, ending{}},
		{"notice", 3, ending{}},
		{"object", 1, ending{}},
		{"withdraw", 1, ending{}},
		{"lose card", 3, ending{}},
		{"find card", 3, ending{}},
		{"add card", 2, ending{}},
		{"revoke", 3, ending{}},
		{"suspend", 3, ending{}},
		{"resume", 2, ending{}},
		{"settle", 1, ending{}},
	},
	"machines": {
		{"restart", 3, ending{}},
		{"power cut", 3, ending{}},
		{"off", 2, ending{"on", time.Minute, 20 * time.Hour}},
		{"front again", 2, ending{}},
		{"issuer again", 2, ending{}},
	},
	"clocks": {
		{"clock wrong", 1, ending{"clocks right", time.Minute, 30 * time.Hour}},
	},
	"links": {
		{"line cut", 2, ending{"line back", time.Minute, 10 * time.Hour}},
		{"half-open", 2, ending{}},
		{"weather", 2, ending{"fair weather", 10 * time.Minute, 10 * time.Hour}},
		{"front off", 1, ending{"front on", time.Minute, 10 * time.Hour}},
	},
	"restores": {
		{"restore issuer", 2, ending{}},
		{"restore front", 2, ending{}},
		{"restore both", 2, ending{}},
	},
	"losses": {
		{"old image", 1, ending{}},
		{"lose file", 3, ending{}},
		{"new machine", 1, ending{}},
	},
	"landlord": {
		{"own card", 1, ending{}},
		{"swap card", 1, ending{}},
		{"clock ahead", 1, ending{}},
	},
	"certificates": {
		{"line drops", 2, ending{}},
		{"worn certificate", 2, ending{"on", time.Hour, 30 * time.Hour}},
		{"no renewal", 1, ending{"renewal again", time.Hour, 30 * time.Hour}},
		{"endings shown", 1, ending{}},
	},
	"year": {
		{"long stay", 1, ending{}},
	},
	"disks": {
		{"disk full", 3, ending{"disk has room", time.Minute, 20 * time.Hour}},
		{"disk slow", 2, ending{"disk fast", time.Minute, 20 * time.Hour}},
		{"flip", 1, ending{}},
	},
	"reinstate": {
		{"revoke", 3, ending{}},
		{"reinstate", 4, ending{}},
		{"suspend", 1, ending{}},
		{"leave", 1, ending{}},
	},
	"visitors": {
		{"pass", 4, ending{}},
		{"visitor", 3, ending{}},
		{"visitor swipes", 6, ending{}},
	},
	"mandates": {
		{"ask on site", 4, ending{}},
		{"ask registry", 4, ending{}},
		{"preserve", 1, ending{}},
		{"preserve on site", 1, ending{}},
		{"forget", 3, ending{}},
		{"search", 1, ending{}},
	},
	"policy": {
		{"policy", 2, ending{}},
		{"restart", 1, ending{}},
		{"line cut", 1, ending{"line back", time.Minute, 10 * time.Hour}},
	},
	"hostile gateway": {
		{"strange hello", 4, ending{}},
		{"strange end", 2, ending{}},
		{"strange check-in", 2, ending{}},
		{"strange entries", 2, ending{}},
		{"revoke now", 2, ending{}},
	},
	"hostile broker": {
		{"inject", 3, ending{}},
		{"weather", 3, ending{"fair weather", 10 * time.Minute, 10 * time.Hour}},
	},
	"hostile witness": {
		{"wrong answers", 3, ending{}},
		{"false acks", 3, ending{}},
		{"revoke now", 1, ending{}},
	},
	"hostile issuer": {
		{"thief's list", 1, ending{}},
	},
}
