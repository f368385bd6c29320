package issuer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// fakeFront keeps what it is given, as the front does: it refuses a list whose
// buckets it lacks, one that goes back, and two of one version.
type fakeFront struct {
	mu         sync.Mutex
	deliveries []api.Delivery
	enrolments []api.Enrolment
	answers    map[string]api.Answer
	lists      map[string]api.List // newest by building
	versions   map[string]uint64
	buckets    map[wire.Hash][]byte
	got        int // buckets handed over
	houses     map[string][]byte
	briefs     map[string][]byte
	applied    map[string]uint64      // by building/gateway
	clocks     map[string]api.Gateway // likewise: Wall, Clock, Said, Zone
	setBacks   map[string]uint64
	setBackTo  map[string]uint64
	down       bool
	log        []api.Logged // of the only building that has a list
	taken      []string
	trusts     [][]byte
	wake       chan struct{}
}

func newFront() *fakeFront {
	return &fakeFront{answers: make(map[string]api.Answer), lists: make(map[string]api.List), versions: make(map[string]uint64),
		buckets: make(map[wire.Hash][]byte), houses: make(map[string][]byte), briefs: make(map[string][]byte), applied: make(map[string]uint64), clocks: make(map[string]api.Gateway), setBacks: make(map[string]uint64), setBackTo: make(map[string]uint64), wake: make(chan struct{}, 1)}
}

func (f *fakeFront) lock() error {
	f.mu.Lock()
	if f.down {
		f.mu.Unlock()
		return fmt.Errorf("the front is away")
	}
	return nil
}

func (f *fakeFront) Work(ctx context.Context, after uint64, wait time.Duration) (w api.Work, err error) {
	deadline := time.After(wait)
	for {
		if err := f.lock(); err != nil {
			return w, err
		}
		w = api.Work{Next: after, Enrolments: slices.Clone(f.enrolments)}
		for _, d := range f.deliveries {
			if d.Number > after {
				w.Deliveries, w.Next = append(w.Deliveries, d), d.Number
			}
		}
		f.mu.Unlock()
		if len(w.Deliveries)+len(w.Enrolments) > 0 {
			return w, nil
		}
		select {
		case <-f.wake:
		case <-deadline:
			return w, nil
		case <-ctx.Done():
			return w, ctx.Err()
		}
	}
}

func (f *fakeFront) deliver(all ...api.Delivery) {
	f.mu.Lock()
	for _, d := range all {
		d.Number = uint64(len(f.deliveries) + 1)
		f.deliveries = append(f.deliveries, d)
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *fakeFront) Answer(_ context.Context, a api.Answer) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	f.answers[a.ID] = a
	f.enrolments = slices.DeleteFunc(f.enrolments, func(e api.Enrolment) bool { return e.ID == a.ID })
	return nil
}

func (f *fakeFront) PutList(_ context.Context, l api.List) (p api.Pushed, err error) {
	if err := f.lock(); err != nil {
		return p, err
	}
	defer f.mu.Unlock()
	m, err := manifestOf(l.Manifest)
	if err != nil {
		return p, err
	}
	have := f.versions[l.Building]
	if m.Version < have || m.Version == have && string(f.lists[l.Building].Manifest) != string(l.Manifest) {
		return p, &api.Error{Message: fmt.Sprintf("list %d after %d", m.Version, have), Status: http.StatusConflict}
	}
	for _, b := range l.Buckets {
		f.buckets[sha256.Sum256(b)] = b
	}
	for _, hash := range m.Buckets {
		if f.buckets[hash] == nil {
			return p, &api.Error{Message: "a bucket is lacking", Status: http.StatusConflict}
		}
	}
	f.got += len(l.Buckets)
	f.log = append(f.log[:l.LogFrom], l.Log...)
	f.lists[l.Building], f.versions[l.Building] = l, m.Version
	return api.Pushed{Version: m.Version}, nil
}

func (f *fakeFront) PutHouse(_ context.Context, d api.Document) (p api.Pushed, err error) {
	if err := f.lock(); err != nil {
		return p, err
	}
	defer f.mu.Unlock()
	f.houses[d.Building], f.briefs[d.Building] = d.Envelope, d.Briefs
	if d.Old != nil {
		f.houses[d.Building] = d.Old
	}
	return p, nil
}

func (f *fakeFront) PutTrust(context.Context, []byte) (p api.Pushed, err error) {
	if err := f.lock(); err != nil {
		return p, err
	}
	f.mu.Unlock()
	return p, nil
}

func (f *fakeFront) Heads(_ context.Context, building string) (all []api.Head, err error) {
	if err := f.lock(); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	for id, house := range f.houses {
		if building != "" && id != building {
			continue
		}
		h := api.Head{Building: id}
		payload, _ := wire.PayloadOf(house)
		var doc wire.House
		_ = wire.Decode(payload, &doc)
		h.House = doc.Version
		if l, there := f.lists[id]; there {
			payload, _ := wire.PayloadOf(l.Manifest)
			sum := sha256.Sum256(payload)
			h.Hash = sum[:]
		}
		all = append(all, h)
	}
	return all, nil
}

func (f *fakeFront) Stored(_ context.Context, building string) (s api.Stored, err error) {
	if err := f.lock(); err != nil {
		return s, err
	}
	defer f.mu.Unlock()
	s = api.Stored{Building: building, House: f.houses[building], List: f.lists[building]}
	s.List.Buckets, s.List.Log = nil, f.log
	for _, b := range f.buckets {
		s.List.Buckets = append(s.List.Buckets, b)
	}
	return s, nil
}

func (f *fakeFront) Trusts(context.Context) ([][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.trusts), nil
}

func (f *fakeFront) Taken(_ context.Context, h api.Holding) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	f.taken = append(f.taken, h.Place.Address())
	return nil
}

func (f *fakeFront) Gateways(context.Context, string) (all []api.Gateway, err error) {
	if err := f.lock(); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	for address, v := range f.applied {
		p := api.Place{Building: filepath.Dir(address), Gateway: filepath.Base(address)}
		all = append(all, api.Gateway{Place: p, Applied: v, SetBacks: f.setBacks[address], SetBackTo: f.setBackTo[address],
			Wall: f.clocks[address].Wall, Clock: f.clocks[address].Clock, Said: f.clocks[address].Said, Zone: f.clocks[address].Zone})
	}
	return all, nil
}

func (f *fakeFront) Status(context.Context) (s api.Status, err error) {
	if err := f.lock(); err != nil {
		return s, err
	}
	defer f.mu.Unlock()
	return api.Status{LastWork: uint64(len(f.deliveries))}, nil
}

// manifestOf reads a manifest without asking who signed it.
func manifestOf(envelope []byte) (wire.Manifest, error) {
	payload, err := wire.PayloadOf(envelope)
	if err != nil {
		return wire.Manifest{}, err
	}
	return wire.DecodeManifest(payload)
}
