package front

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// message is one as it came from the link.
type message struct {
	g       *gateway
	key     wire.Key
	kind    string
	payload []byte
}

// job is a message that was opened and checked: what is left is to store it.
type job struct {
	g    *gateway
	size int
	work interface{ store(*txn, *gateway) error }
}

var shardSeed = maphash.MakeSeed()

// receive takes what comes from the link. It never waits: where there is no
// room the message is dropped, and its gateway sends it again.
func (f *Front) receive(topic string, payload []byte) {
	p, dir, kind, err := wire.ParseTopic(topic)
	if err != nil || len(payload) > wire.MaxMessage {
		f.refused.Add(1)
		return
	}
	switch dir {
	case wire.DirStatus:
		kind = wire.TypeStatus
	case wire.DirUp:
	default:
		return
	}
	g, key, ok := f.member(p)
	if !ok {
		f.refused.Add(1)
		return
	}
	if g.queued.Add(1) > maxQueueOfOne {
		g.queued.Add(-1)
		f.dropped.Add(1)
		return
	}
	// One gateway's messages stay in order: they go to one worker.
	q := f.queues[maphash.String(shardSeed, g.address)%uint64(len(f.queues))]
	select {
	case q <- message{g, key, kind, payload}:
	default:
		g.queued.Add(-1)
		f.dropped.Add(1)
	}
}

// work opens messages until ctx ends.
func (f *Front) work(ctx context.Context, queue <-chan message) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-queue:
			err := f.open(ctx, m)
			m.g.queued.Add(-1)
			if err != nil {
				f.refused.Add(1)
				if m.kind == wire.TypeHello && errors.Is(err, wire.ErrUnknownKey) {
					f.heardStranger(m.g)
				}
				f.seldom.Warn().Err(err).Str("gateway", m.g.address).Str("type", m.kind).Msg("a message is refused")
			}
		}
	}
}

// open checks the signature and the form of a message, and passes it on.
func (f *Front) open(ctx context.Context, m message) error {
	expect := wire.Expect{Type: m.kind, Role: wire.RoleGateway, Address: m.g.address}
	if m.kind == wire.TypeHello {
		expect.Newest = f.o.Formats
	}
	payload, p, err := wire.Open(m.payload, expect, []wire.Key{m.key})
	if err != nil {
		return err
	}
	m.g.spoke.Store(time.Now().UnixNano())
	j := job{g: m.g, size: len(m.payload)}
	switch m.kind {
	case wire.TypeHello:
		j.work, err = f.openHello(m.g, p.Version, payload)
	case wire.TypeBatch:
		j.work, err = openBatch(m, payload)
	case wire.TypeNotice:
		j.work, err = openNotice(payload)
	case wire.TypeDelivery:
		j.work, err = f.openDelivery(m, payload)
	case wire.TypeWant:
		return f.takeWant(m.g, payload)
	case wire.TypeStatus:
		return f.takeStatus(m.g, payload)
	case wire.TypeHolding:
		return f.takeHolding(m, payload)
	default:
		return fmt.Errorf("%w: gateways send no %q", wire.ErrWrongType, m.kind)
	}
	if err != nil {
		return err
	}
	select {
	case f.jobs <- j:
	case <-ctx.Done():
	}
	return nil
}

// helloWork keeps the hello; the ack tells the gateway where it stands.
type helloWork struct {
	hello   wire.Hello2
	payload []byte
	format  uint64
}

func (f *Front) openHello(g *gateway, format uint64, payload []byte) (*helloWork, error) {
	hello, err := wire.DecodeHello(format, payload)
	if err != nil {
		return nil, err
	}
	w := &helloWork{hello, payload, format}
	if err := f.noteHello(g, w); err != nil {
		return nil, err
	}
	f.sendNewerTrust(g, w.hello, w.format)
	return w, nil
}

// sendNewerTrust sends a gateway the newest Trust document where its hello names an
// older one: the ack would tell it that there is one, but by that very document
// another witness may sign acks, whom the gateway does not know yet.
func (f *Front) sendNewerTrust(g *gateway, h wire.Hello2, format uint64) {
	if a := f.authority.Load().read(min(format, f.o.Formats)); a != nil && h.Trust < a.trust.Version {
		f.send(f.placeOf(g).Down(wire.TypeTrust), a.envelope)
	}
}

// noteHello keeps what a gateway says of itself.
func (f *Front) noteHello(g *gateway, w *helloWork) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := &g.view
	switch {
	case g.said.add(w.hello.Nonce):
		if !v.nonce.SameConnection(w.hello.Nonce) || !v.online {
			v.since, v.online = f.o.Now(), true
		}
		v.nonce, v.hello, v.heard, v.said = w.hello.Nonce, w.hello, f.o.Now(), time.Now()
		if w.hello.Clock == wire.ClockNTP { // what rests on the registry's own time says nothing of it
			f.clock.Hear(g.place.Building, time.UnixMilli(w.hello.Wall), 0)
		}
	case w.hello.Nonce == v.nonce: // said again, since no ack came, or by somebody else
		if w.format < v.format {
			if err := w.raise(v.hello, v.format); err != nil {
				return err
			}
		}
		v.hello = w.hello
	default:
		return errOldHello
	}
	v.format = w.format
	return nil
}

// raise gives a hello the format in which the same one was said before: a gateway that
// gets no answer in time says it in each format that it reads, and answers in the first
// would tell a gateway of the second that its lists prove nothing.
func (w *helloWork) raise(before wire.Hello2, format uint64) (err error) {
	before.Hello = w.hello.Hello
	w.hello, w.format = before, format
	w.payload, err = wire.Encode(w.hello)
	return err
}

// errOldHello means a hello before the newest: a gateway does not say one again.
var errOldHello = errors.New("the hello was said before")

// answerEpoch is the epoch that a hello asks about.
func answerEpoch(h wire.Hello2) uint64 {
	if h.CursorEpoch != 0 {
		return h.CursorEpoch
	}
	return h.Epoch
}

func (w *helloWork) store(t *txn, g *gateway) error {
	l, err := t.ledger(g)
	if err != nil {
		return err
	}
	l.epoch = answerEpoch(w.hello)
	t.ack(g, l.epoch)
	if err := t.hold(l, g, w.hello.Cosigned); err != nil {
		return err
	}
	if err := w.findLacking(t, l, g); err != nil {
		return err
	}
	if err := w.findShort(t, l); err != nil {
		return err
	}
	t.front.mu.RLock()
	undo := g.undo
	t.front.mu.RUnlock()
	if err := undo.again(t, g, w.hello); err != nil {
		return err
	}
	back, err := t.SetBack(l.id, w.hello.Epoch, w.hello.Next, w.hello.List)
	if err != nil {
		return err
	}
	if back {
		t.front.o.Log.Warn().Str("gateway", g.address).Uint64("list", w.hello.List).
			Msg("its disk was set back, or it is another machine: lists that it proved since do not count")
	}
	return t.SetHello(l.id, w.payload, t.now)
}

// findLacking finds out whether the hello names something that is not known here,
// unless the gateway has handed over just that.
func (w *helloWork) findLacking(t *txn, l *ledger, g *gateway) error {
	t.front.mu.RLock()
	place := g.place
	t.front.mu.RUnlock()
	lacks, err := t.lacks(l, place, w.hello)
	if err != nil {
		return err
	}
	t.front.mu.Lock()
	defer t.front.mu.Unlock()
	g.view.note(lacks, w.hello)
	return nil
}

// findShort notes whether the hello names entries that are not here. They follow it,
// unless a broker lets hellos through and no batches.
func (w *helloWork) findShort(t *txn, l *ledger) error {
	r, err := t.rangeOf(l.id, w.hello.Epoch)
	switch {
	case err != nil:
		return err
	case w.hello.Next <= r.Size():
		l.short = time.Time{}
	case l.short.IsZero():
		l.short = t.now
	}
	return nil
}

// takeStatus believes a last will of the connection that the newest hello was
// said on. Its opposite says nothing that the hello did not, and could be an old
// one: after its will a connection is gone.
func (f *Front) takeStatus(g *gateway, payload []byte) error {
	var s wire.Status
	if err := wire.Decode(payload, &s); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !s.Online && s.Nonce.SameConnection(g.view.nonce) {
		g.view.online = false
	}
	return nil
}

// noticeWork keeps the alarm until its entry comes.
type noticeWork struct{ notice wire.Notice }

func openNotice(payload []byte) (*noticeWork, error) {
	w := &noticeWork{}
	if err := wire.Decode(payload, &w.notice); err != nil {
		return nil, err
	}
	_, err := wire.DecodeHeader(w.notice.Header)
	return w, err
}

// maxNotices is how many of a gateway's alarms may wait for their entries.
const maxNotices = 256

func (w *noticeWork) store(t *txn, g *gateway) error {
	l, err := t.ledger(g)
	if err != nil {
		return err
	}
	r, err := t.rangeOf(l.id, w.notice.Epoch)
	if err != nil || w.notice.Sequence < r.Size() {
		return err // its entry is here
	}
	return t.AddAlarm(store.Alarm{Gateway: l.id, Epoch: w.notice.Epoch, Sequence: w.notice.Sequence, Header: w.notice.Header, Heard: t.now}, maxNotices)
}

// leafHashes are the hashes of a batch's leaves.
func leafHashes(b wire.Batch) []tlog.Hash {
	var nobody wire.Hash
	hashes := make([]tlog.Hash, len(b.Headers))
	for i, who := range b.Whos {
		if len(who) == 0 {
			who = nobody[:]
		}
		hashes[i] = tree.LeafHash(b.Headers[i], who)
	}
	return hashes
}
