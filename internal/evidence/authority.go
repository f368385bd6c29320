package evidence

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// Trust is what the reader of a file believes beforehand. Zero: nothing; then a file is judged by
// the root that it names itself, and the reader compares that root's key with the paper's.
type Trust struct {
	Root     ed25519.PublicKey // of the registry; of a standalone house the gateway's key
	Document []byte            // instead of Root: a trust document that the reader has of that registry
}

// authority is whose signatures count for a file.
type authority struct {
	address   string
	epoch     Epoch
	registry  string
	root      ed25519.PublicKey // nil: a standalone house
	log       note.Verifier
	logKey    ed25519.PublicKey
	witnesses []wire.Key
	verifiers []note.Verifier // of checkpoints
	anchored  bool            // the root is the one that the reader believes
}

func (a authority) origin() string { return originOf(a.address, a.epoch) }

func originOf(address string, epoch Epoch) string {
	return checkpoint.Checkpoint{Address: address, Epoch: uint64(epoch)}.Origin()
}

func (a authority) witnessName() string { return checkpoint.WitnessName(a.registry) }

// judgeAuthority follows the documents of a file from the root to the gateway and the witnesses.
func judgeAuthority(m Manifest, file map[string][]byte, trust Trust) (authority, error) {
	a := authority{address: m.Gateway, epoch: m.Epoch, registry: m.Registry}
	var err error
	if m.Registry == "" {
		if file[nameTrust] != nil || file[nameHouse] != nil {
			return a, refuse(BadAuthority, nameTrust, errors.New("a standalone house has no such documents"))
		}
		a.logKey, err = logOfPolicy(file[namePolicy], a.origin())
	} else {
		err = a.follow(m, file)
	}
	if err != nil {
		return a, err
	}
	if want := policy(a.origin(), a.logKey, a.witnessName(), a.witnesses); !bytes.Equal(want, file[namePolicy]) {
		return a, refuse(BadPolicy, namePolicy, nil)
	}
	if err := a.compare(trust); err != nil {
		return a, err
	}
	return a, a.readKeys()
}

// follow takes the keys from the trust and house documents.
func (a *authority) follow(m Manifest, file map[string][]byte) error {
	a.root, _ = m.rootKey() // its check has read it
	t, err := openTrust(file[nameTrust], a.root, a.registry)
	if err != nil {
		return refuse(BadAuthority, nameTrust, err)
	}
	building, gateway, _ := strings.Cut(a.address, "/")
	payload, _, err := wire.Open(file[nameHouse], wire.Expect{Type: wire.TypeHouse, Role: wire.RoleIssuer, Address: building, Newest: wire.Formats}, t.Keyset(wire.RoleIssuer))
	var h wire.House
	if err == nil {
		err = wire.Decode(payload, &h)
	}
	if err != nil {
		return refuse(BadAuthority, nameHouse, err)
	}
	g := h.Gateway(gateway)
	if g == nil {
		return refuse(BadAuthority, nameHouse, fmt.Errorf("it has no gateway %s", gateway))
	}
	a.logKey, a.witnesses = g.Key().Public, witnessesOf(t)
	return nil
}

// witnessesOf returns the witnesses of a trust document, each key once.
func witnessesOf(t wire.Trust) []wire.Key {
	all := t.Keyset(wire.RoleWitness)
	slices.SortFunc(all, func(a, b wire.Key) int { return bytes.Compare(a.Public, b.Public) })
	return slices.CompactFunc(all, func(a, b wire.Key) bool { return a.Public.Equal(b.Public) })
}

func openTrust(envelope []byte, root ed25519.PublicKey, registry string) (wire.Trust, error) {
	expect := wire.Expect{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: registry, Newest: wire.Formats}
	payload, p, err := wire.Open(envelope, expect, []wire.Key{{Role: wire.RoleRoot, Public: root}})
	if err != nil {
		return wire.Trust{}, err
	}
	t, err := wire.DecodeTrust(p.Version, payload)
	if err == nil && t.Registry != registry {
		err = fmt.Errorf("%w: it is of registry %s", wire.ErrWrongAddress, t.Registry)
	}
	return t, err
}

// compare finds out whether the reader believes in the file's root.
func (a *authority) compare(trust Trust) error {
	own := a.root
	if a.registry == "" {
		own = a.logKey
	}
	switch {
	case trust.Document != nil:
		if _, err := openTrust(trust.Document, own, a.registry); err != nil {
			return refuse(OtherRoot, "", err)
		}
	case trust.Root == nil:
		return nil
	case !own.Equal(trust.Root):
		return refuse(OtherRoot, "", nil)
	}
	a.anchored = true
	return nil
}

// readKeys makes the verifiers.
func (a *authority) readKeys() (err error) {
	if a.log, err = note.NewVerifier(checkpoint.LogVKey(a.origin(), a.logKey)); err != nil {
		return refuse(BadPolicy, namePolicy, err)
	}
	a.verifiers = []note.Verifier{a.log}
	for _, k := range a.witnesses {
		a.verifiers = append(a.verifiers, checkpoint.NewWitness(a.witnessName(), k.Public))
	}
	return nil
}
