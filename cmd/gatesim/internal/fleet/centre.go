package fleet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/freeport"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// centre is the registry: the real front, with its broker and store, as a process of its own. What
// an issuer signs is signed here, with the issuer's key.
type centre struct {
	dir    string
	broker string // host:port
	keys   authority.Keys
	roots  *x509.CertPool // by which gateways know the broker
	kem    []byte         // public key of all gateways: nobody seals anything to one that is alone
	client *api.Client
	front  *process.Process
}

// newCentre makes the keys of a registry, as `registryd init` does.
func newCentre(dir string) (*centre, error) {
	c := &centre{dir: dir, roots: x509.NewCertPool()}
	var ports [2]int
	if _, err := freeport.Hold(ports[:]); err != nil { // until this program ends
		return nil, err
	}
	c.broker = fmt.Sprintf("127.0.0.1:%d", ports[0])
	err := authority.Init(dir, authority.Setup{Registry: "fleet", Hosts: []string{"127.0.0.1"}, Broker: ports[0], Enrol: ports[1],
		Config: fmt.Appendf(nil, "mqtt_listen = %q\nenrol_listen = \"127.0.0.1:%d\"\n", c.broker, ports[1]), Now: time.Now()})
	if err == nil {
		c.keys, err = authority.Load(filepath.Join(dir, authority.DirIssuer))
	}
	if err == nil {
		_, c.kem, err = sealing.GenerateKey()
	}
	if err == nil {
		c.roots.AddCert(c.keys.CA)
	}
	c.client = api.NewClient(c.file(api.FileSocket))
	return c, err
}

// file is a file of the front's directory.
func (c *centre) file(name string) string { return filepath.Join(c.dir, authority.DirFront, name) }

// log is the file in which the front logs.
func (c *centre) log() string { return filepath.Join(c.dir, "front.log") }

// building is a building with its one gateway.
type building struct {
	*gateway
	grants []wire.Grant
	newest wire.Manifest
	hash   wire.Hash // of newest
}

// residents is how many cards each building has.
const residents = 20

// newBuilding makes the n-th building, with its gateway and its cards.
func (c *centre) newBuilding(n int) (*building, error) {
	g, err := newGateway(wire.Place{District: "440000", Town: "fleet", Building: fmt.Sprintf("house-%d", n+1), Gateway: "gw1"}, c.keys, time.Now())
	if err != nil {
		return nil, err
	}
	b := &building{gateway: g}
	for range residents {
		card := wire.Grant{Kind: wire.GrantResident, State: wire.GrantActive, ID: grantlist.NewID(), Tenancy: grantlist.NewID()}
		card.Credential[0] = 1
		_, _ = rand.Read(card.Credential[1:]) // never fails
		b.grants = append(b.grants, card)
	}
	slices.SortFunc(b.grants, func(x, y wire.Grant) int { return x.Compare(&y) })
	return b, nil
}

// sign makes the next list of a building, of its grants as they are.
func (c *centre) sign(b *building) (api.List, error) {
	draft := grantlist.NewDraft(b.place.Building, b.newest, b.hash)
	if _, err := draft.DoorSet([]string{door}); err != nil {
		return api.List{}, err
	}
	l, m, err := draft.Sign(b.grants, time.Now(), c.keys.Issuer, c.keys.Epoch)
	if err != nil {
		return api.List{}, err
	}
	payload, err := wire.PayloadOf(l.Manifest)
	if err != nil {
		return api.List{}, err
	}
	b.newest, b.hash = m, sha256.Sum256(payload)
	return api.List{Building: b.place.Building, Manifest: l.Manifest, Buckets: l.Buckets}, nil
}

// house makes the house document of a building.
func (c *centre) house(b *building) (h wire.House, d api.Document, err error) {
	h = wire.House{Version: 1, Issued: uint32(time.Now().Unix()), District: b.place.District, Town: b.place.Town, NoticeDays: 3,
		Gateways: []wire.HouseGateway{b.member(c.kem)}}
	payload, err := wire.Encode(h)
	if err == nil {
		d.Building = b.place.Building
		d.Envelope, err = authority.SignAs(c.keys.Trust, wire.TypeHouse, d.Building, payload, c.keys.Issuer)
	}
	return h, d, err
}

// settle stores house documents and first lists as a front that ran before leaves them, so that a
// large fleet need not hand them in one by one.
func (c *centre) settle(ctx context.Context, all []*building, acks *latencies) (err error) {
	s, err := store.Open(ctx, c.file(api.FileDatabase), zerolog.Nop())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for part := range slices.Chunk(all, 1000) {
		err := s.Update(ctx, func(tx *store.Tx) error {
			for _, b := range part {
				if err := c.enlist(tx, b, acks); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// enlist stores what there is of a building, and makes its gateway ready to connect.
func (c *centre) enlist(tx *store.Tx, b *building, acks *latencies) error {
	house, d, err := c.house(b)
	if err != nil {
		return err
	}
	l, err := c.sign(b)
	if err != nil {
		return err
	}
	stored := store.List{Building: l.Building, Version: b.newest.Version, Hash: b.hash, Manifest: l.Manifest, Stored: time.Now()}
	return errors.Join(tx.Documents.PutHouse(store.House{Document: d}, house.Version), tx.Documents.PutList(stored, l.Buckets, b.newest.Buckets),
		b.connectTo(c.broker, c.roots, c.keys, house, acks))
}

// start starts the front and returns when gateways can connect.
func (c *centre) start(ctx context.Context) (err error) {
	c.front, err = process.Start("the registry's front", c.log(), nil, "front", "--config", c.file(api.FileConfig))
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s, err := c.client.Status(ctx); err == nil && s.Linked {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.front.Exited:
			return fmt.Errorf("the registry's front did not start: %w", errors.Join(c.front.Err, errors.New("see "+c.log())))
		case <-tick.C:
		}
	}
}

// stop ends the front, if it runs.
func (c *centre) stop() error {
	if c.front == nil {
		return nil
	}
	return c.front.Stop()
}

// counts are the stored entries of each gateway, by address: how often each one, by its counter.
type counts map[string]map[uint64]int

// stored reads all entries that the registry has.
func (c *centre) stored(ctx context.Context) (counts, error) {
	all := counts{}
	for more := ""; ; {
		var err error
		more, err = c.client.Entries(ctx, api.EntryFilter{Limit: 1_000_000, After: more}, func(e api.Entry) error {
			of := e.Building + "/" + e.Gateway
			if all[of] == nil {
				all[of] = map[uint64]int{}
			}
			all[of][e.Counter]++
			return nil
		})
		if err != nil || more == "" {
			return all, err
		}
	}
}
