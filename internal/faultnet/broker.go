package faultnet

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/sync/mqtt"
)

// Bounds of a broker.
const (
	backlog  = 256         // messages that wait for a slow reader, as in mqtt.Link
	memory   = 4096        // old messages kept for replays
	overtake = time.Second // longest that a message waits to be overtaken
)

// Access is what an access list is asked about.
type Access int

// The kinds of access.
const (
	Publish   Access = iota // to a topic
	Subscribe               // to a filter
)

// Misdeeds says what a broker does to messages. Probabilities go from 0 to 1
// and are drawn for each delivery, that is for each message and receiver. The
// zero value is an honest broker.
type Misdeeds struct {
	Drop      float64       // not delivered
	Duplicate float64       // delivered twice
	Reorder   float64       // delivered after the next one from the same sender, or a second later
	Replay    float64       // followed by a random message that the receiver may have had before
	Delay     time.Duration // each delivery waits a random time up to this, which reorders too

	// Deny is the access list; nil allows everything. A publish that it denies
	// vanishes without a word; a link with a filter that it denies is not up.
	// It runs under the broker's lock and may not call the broker.
	Deny func(client string, a Access, topic string) bool
}

// Broker connects links in memory. Its methods may be called by any goroutine.
// The dice for the n-th message from one client to another depend on the seed,
// the two names and n only, so that a run repeats. It uses no network and
// no goroutine, timers only for what is late, so it works inside a bubble of
// testing/synctest.
type Broker struct {
	seed uint64
	slow time.Duration // what each delivery takes at least; 0: dice go by count

	mu       sync.Mutex
	misdeeds Misdeeds
	links    []*Link
	lanes    map[[2]string]*lane
	seen     []mqtt.Message
	seenAt   []time.Time // when each of them was published
	late     []due       // by their time, then in the order in which they were put off
}

// due is what is done at its time.
type due struct {
	at time.Time
	do func()
}

// lane is the way from one client to another.
type lane struct {
	name string
	dice *rand.Rand
	held func() // delivers the message that waits to be overtaken
}

// NewBroker returns an honest broker without links.
func NewBroker(seed uint64) *Broker {
	return &Broker{seed: seed, lanes: make(map[[2]string]*lane)}
}

// NewSlowBroker returns an honest broker whose deliveries take at least so long,
// and up to that again. Its dice depend on the seed, the two names, the topic and
// the second: whether a sender packs what it has to say into one message or two
// changes nothing, and what comes of one message is over before the next is
// there. A simulation of whole programs repeats with it.
func NewSlowBroker(seed uint64, least time.Duration) *Broker {
	b := NewBroker(seed)
	b.slow = least
	return b
}

// Set replaces the misdeeds for the messages and connects from now on.
func (b *Broker) Set(m Misdeeds) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.misdeeds = m
}

// Seen returns what was published and allowed, in order, at most the last 4096
// messages: what an enemy at the broker has to work with.
func (b *Broker) Seen() []mqtt.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seen)
}

// Inject delivers a message of the broker's own to every link that subscribes
// to its topic, at once and unharmed: forged, changed, replayed or withheld
// before.
func (b *Broker) Inject(m mqtt.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.links {
		if l.wants(m.Topic) {
			l.deliver(l.connection, m)
		}
	}
}

// publish takes a message from a client to all that subscribe to its topic.
func (b *Broker) publish(from string, m mqtt.Message) {
	if b.denies(from, Publish, m.Topic) {
		return
	}
	m.Payload = slices.Clone(m.Payload)
	if len(b.seen) == memory {
		b.seen, b.seenAt = slices.Delete(b.seen, 0, memory/4), slices.Delete(b.seenAt, 0, memory/4)
	}
	b.seen, b.seenAt = append(b.seen, m), append(b.seenAt, time.Now())
	for _, l := range b.links {
		if l.wants(m.Topic) {
			b.send(b.lane(from, l.name), l, m)
		}
	}
}

func (b *Broker) denies(client string, a Access, topic string) bool {
	return b.misdeeds.Deny != nil && b.misdeeds.Deny(client, a, topic)
}

func (b *Broker) lane(from, to string) *lane {
	key := [2]string{from, to}
	if b.lanes[key] == nil {
		h := fnv.New64a()
		h.Write([]byte(from + "\x00" + to))
		b.lanes[key] = &lane{name: from + "\x00" + to, dice: rand.New(rand.NewPCG(b.seed, h.Sum64()))}
	}
	return b.lanes[key]
}

// send does to one delivery what the dice say. All of them are thrown each
// time, so that one misdeed does not change what the others hit.
func (b *Broker) send(w *lane, to *Link, m mqtt.Message) {
	bad, dice := b.misdeeds, w.dice
	if b.slow > 0 {
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%s\x00%s\x00%d", w.name, m.Topic, time.Now().Unix())
		dice = rand.New(rand.NewPCG(b.seed, h.Sum64()))
	}
	drop, twice := dice.Float64() < bad.Drop, dice.Float64() < bad.Duplicate
	hold, replay := dice.Float64() < bad.Reorder, dice.Float64() < bad.Replay
	late := [3]time.Duration{}
	for i := range late {
		late[i] = time.Duration(dice.Float64() * float64(bad.Delay))
	}
	which := dice.Float64()
	if b.slow > 0 {
		way := b.slow + time.Duration(dice.Float64()*float64(b.slow))
		for i := range late {
			late[i] += way
		}
	}

	connection := to.connection
	now := func() {
		if !drop {
			b.after(late[0], to, connection, m)
		}
		if twice {
			b.after(late[1], to, connection, m)
		}
		if replay {
			b.replay(late[2], to, connection, which)
		}
	}
	overtaken := w.held
	w.held = nil
	if hold && overtaken == nil {
		b.hold(w, now)
		return
	}
	now()
	if overtaken != nil {
		overtaken()
	}
}

// hold keeps a delivery until the next one of its lane has passed, or for a
// while.
func (b *Broker) hold(w *lane, deliver func()) {
	done := false
	once := func() {
		if !done {
			done = true
			deliver()
		}
	}
	w.held = once
	b.later(overtake, once)
}

// replay delivers one of the messages that the link could have had; which is a
// die from 0 to 1.
func (b *Broker) replay(late time.Duration, to *Link, connection int, which float64) {
	var old []int
	for i, m := range b.seen {
		if to.wants(m.Topic) {
			old = append(old, i)
		}
	}
	if len(old) == 0 {
		return
	}
	n := int(which * float64(len(old)))
	if b.slow > 0 { // by time, not by count
		began := b.seenAt[old[0]]
		at := began.Add(time.Duration(which * float64(time.Since(began))))
		n, _ = slices.BinarySearchFunc(old, at, func(i int, at time.Time) int { return b.seenAt[i].Compare(at) })
		n = min(n, len(old)-1)
	}
	b.after(late, to, connection, b.seen[old[n]])
}

// after delivers a message when its time has come.
func (b *Broker) after(d time.Duration, to *Link, connection int, m mqtt.Message) {
	if d == 0 {
		to.deliver(connection, m)
		return
	}
	b.later(d, func() { to.deliver(connection, m) })
}

// later puts something off. Each timer does what is due first, not its own: two
// that end at the same time come in any order.
func (b *Broker) later(d time.Duration, do func()) {
	at := time.Now().Add(d)
	i := slices.IndexFunc(b.late, func(l due) bool { return l.at.After(at) })
	if i < 0 {
		i = len(b.late)
	}
	b.late = slices.Insert(b.late, i, due{at, do})
	time.AfterFunc(d, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		first := b.late[0]
		b.late = b.late[1:]
		first.do()
	})
}

// match reports whether an MQTT filter takes a topic.
func match(filter, topic string) bool {
	for {
		f, filterRest, moreFilter := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, topicRest, moreTopic := strings.Cut(topic, "/")
		switch {
		case f != "+" && f != t:
			return false
		case !moreFilter || !moreTopic:
			return moreFilter == moreTopic || moreFilter && filterRest == "#"
		}
		filter, topic = filterRest, topicRest
	}
}

// Client is who connects to a broker.
type Client struct {
	Name      string // unlike a client id it means the same after a restart; unique by rights
	Subscribe []string
	Will      func() mqtt.Message // as in mqtt.Config; may not call the broker
}

// Connect returns a new link, up unless the access list denies a filter. A link
// of the same name is thrown out, and its will published, as a broker does with
// a client id.
func (b *Broker) Connect(c Client) *Link {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, old := range b.links {
		if old.name == c.Name {
			old.lose(true)
			old.gone = true
		}
	}
	b.links = slices.DeleteFunc(b.links, func(l *Link) bool { return l.name == c.Name })
	l := &Link{
		broker: b, name: c.Name, filters: slices.Clone(c.Subscribe), makeWill: c.Will,
		messages: make(chan mqtt.Message, backlog), changed: make(chan struct{}),
	}
	b.links = append(b.links, l)
	l.connect()
	return l
}
