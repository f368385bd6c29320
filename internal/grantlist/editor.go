package grantlist

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Editor makes the next version of a list. It runs where the issuer's key is,
// in a tool and not in the daemon. Edits pile up until Sign; after Sign, make a
// new Editor of what the gateway then holds. It is for one goroutine.
type Editor struct {
	Draft
	key    ed25519.PrivateKey
	epoch  uint64
	grants map[wire.ID][]wire.Grant // by grant, in no order
	labels map[wire.ID]string
}

// NewGrant is the input of Add.
type NewGrant struct {
	Tenancy     wire.ID // zero: a new random one
	Kind        wire.GrantKind
	Doors       []string  // ids of the site file; at least one
	From, Until time.Time // zero: since ever, no end; whole seconds
	Credentials []wire.CredentialID
	Label       string // the landlord's own word for it; stays on the gateway
}

// NewEditor starts from a list of Keyring.List, or from none, and checks that the same key signed
// it for the same building.
func NewEditor(l List, building string, key ed25519.PrivateKey, epoch uint64) (*Editor, error) {
	if len(key) != ed25519.PrivateKeySize || !wire.ValidName(building, false) {
		return nil, errors.New("edit list: the issuer's key and the building's id are needed")
	}
	e := &Editor{Draft: *NewDraft(building, wire.Manifest{}, wire.Hash{}), key: key, epoch: epoch,
		grants: make(map[wire.ID][]wire.Grant), labels: make(map[wire.ID]string)}
	if len(l.Manifest) == 0 {
		return e, nil
	}
	issuer := wire.Key{Role: wire.RoleIssuer, Epoch: epoch, Public: key.Public().(ed25519.PublicKey)}
	expect := wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: building}
	payload, _, err := wire.Open(l.Manifest, expect, []wire.Key{issuer})
	if err != nil {
		return nil, fmt.Errorf("edit list: %w", err)
	}
	base, err := wire.DecodeManifest(payload)
	if err != nil {
		return nil, fmt.Errorf("edit list: %w", err)
	}
	e.Draft = *NewDraft(building, base, sha256.Sum256(payload))
	if len(l.Buckets) != len(e.base.Buckets) {
		return nil, fmt.Errorf("edit list: %d buckets, the manifest has %d", len(l.Buckets), len(e.base.Buckets))
	}
	for i, b := range l.Buckets {
		grants, err := e.base.DecodeBucket(i, b)
		if err != nil {
			return nil, fmt.Errorf("edit list: %w", err)
		}
		for _, g := range grants {
			e.grants[g.ID] = append(e.grants[g.ID], g)
		}
	}
	return e, nil
}

// Reissue makes the next version a whole list without a predecessor: for a gateway that lost its
// list, or never had one. above is the highest version that it has applied.
func (e *Editor) Reissue(above uint64) {
	e.base.Version = max(e.base.Version, above)
	e.base.Buckets, e.hash = nil, wire.Hash{}
}

// Add makes a new grant under a new random id, which is never used again.
func (e *Editor) Add(n NewGrant) (wire.ID, error) {
	if _, err := naming.Label(n.Label); err != nil {
		return wire.ID{}, fmt.Errorf("add grant: %w", err)
	}
	if len(n.Credentials) == 0 {
		return wire.ID{}, errors.New("add grant: no credential")
	}
	g := wire.Grant{ID: NewID(), Tenancy: cmp.Or(n.Tenancy, NewID()), State: wire.GrantActive}
	if err := e.amend(&g, n); err != nil {
		return wire.ID{}, fmt.Errorf("add grant: %w", err)
	}
	lines := make([]wire.Grant, 0, len(n.Credentials))
	for _, c := range n.Credentials {
		g.Credential = c
		lines = append(lines, g)
	}
	if err := checkLines(lines); err != nil {
		return wire.ID{}, fmt.Errorf("add grant: %w", err)
	}
	e.grants[g.ID] = lines
	if n.Label != "" {
		e.labels[g.ID] = n.Label
	}
	return g.ID, nil
}

// amend sets kind, doors and term of a record.
func (e *Editor) amend(g *wire.Grant, n NewGrant) (err error) {
	g.Kind = n.Kind
	if g.DoorSet, err = e.DoorSet(n.Doors); err != nil {
		return err
	}
	if g.From, err = seconds(n.From); err != nil {
		return err
	}
	g.Until, err = seconds(n.Until)
	return err
}

// checkLines is the codec's own check of the records of one grant.
func checkLines(lines []wire.Grant) error {
	slices.SortFunc(lines, func(a, b wire.Grant) int { return a.Compare(&b) })
	_, err := wire.EncodeBucket(lines)
	return err
}

// Bind adds a credential to a grant: a replaced card, another reader's form of the same one. It is
// active, also where others of the grant are suspended; a revoked grant accepts none.
func (e *Editor) Bind(grant wire.ID, credential wire.CredentialID) error {
	lines := slices.Clone(e.grants[grant])
	if len(lines) == 0 {
		return errors.New("bind card: no such grant")
	}
	g := lines[0]
	g.Credential, g.State = credential, wire.GrantActive
	if slices.ContainsFunc(lines, func(l wire.Grant) bool { return l.State == wire.GrantRevoked }) {
		return errors.New("bind card: the grant is revoked, for good: add a new one")
	}
	lines = append(lines, g)
	if err := checkLines(lines); err != nil {
		return fmt.Errorf("bind card: %w", err)
	}
	e.grants[grant] = lines
	return nil
}

// Amend gives a grant another kind, doors and term, with all its credentials as they
// are; tenancy, credentials and label of n do not count.
func (e *Editor) Amend(grant wire.ID, n NewGrant) error {
	lines := slices.Clone(e.grants[grant])
	if len(lines) == 0 {
		return errors.New("amend grant: no such grant")
	}
	for i := range lines {
		if err := e.amend(&lines[i], n); err != nil {
			return fmt.Errorf("amend grant: %w", err)
		}
	}
	if err := checkLines(lines); err != nil {
		return fmt.Errorf("amend grant: %w", err)
	}
	e.grants[grant] = lines
	return nil
}

// Join binds a credential that is another form of one of the grant's: it is as active or suspended
// as that one.
func (e *Editor) Join(grant wire.ID, form, other wire.CredentialID) error {
	i := slices.IndexFunc(e.grants[grant], func(l wire.Grant) bool { return l.Credential == other })
	if i < 0 {
		return errors.New("join card: the grant has no such card")
	}
	state := e.grants[grant][i].State
	if err := e.Bind(grant, form); err != nil {
		return err
	}
	return e.SetCredential(grant, form, state)
}

// SetState suspends, revokes or resumes a grant with all its credentials. What is revoked stays
// revoked.
func (e *Editor) SetState(grant wire.ID, s wire.GrantState) error {
	return e.setState(grant, s, func(wire.CredentialID) bool { return true })
}

// SetCredential does the same with one credential of a grant: a lost card is suspended, and resumed
// when it is found.
func (e *Editor) SetCredential(grant wire.ID, c wire.CredentialID, s wire.GrantState) error {
	return e.setState(grant, s, func(other wire.CredentialID) bool { return other == c })
}

func (e *Editor) setState(grant wire.ID, s wire.GrantState, which func(wire.CredentialID) bool) error {
	if s < wire.GrantActive || s > wire.GrantRevoked {
		return fmt.Errorf("set state %d: unknown", s)
	}
	lines := slices.Clone(e.grants[grant])
	found := false
	for i := range lines {
		if !which(lines[i].Credential) {
			continue
		}
		if lines[i].State == wire.GrantRevoked && s != wire.GrantRevoked {
			return errors.New("set state: it is revoked, for good: add a new grant")
		}
		lines[i].State, found = s, true
	}
	if !found {
		return errors.New("set state: no such grant or credential")
	}
	e.grants[grant] = lines
	return nil
}

// End takes a grant off the list, with its label.
func (e *Editor) End(grant wire.ID) error {
	if len(e.grants[grant]) == 0 {
		return errors.New("end grant: no such grant")
	}
	delete(e.grants, grant)
	delete(e.labels, grant)
	return nil
}

// Label names a grant in the landlord's own words; empty text erases.
func (e *Editor) Label(grant wire.ID, text string) error {
	if len(e.grants[grant]) == 0 {
		return errors.New("label grant: no such grant")
	}
	if _, err := naming.Label(text); err != nil {
		return fmt.Errorf("label grant: %w", err)
	}
	e.labels[grant] = text
	return nil
}

// Grants returns all records in the order of the list. Door sets are indexes;
// DoorsOf names them.
func (e *Editor) Grants() []wire.Grant {
	all := make([]wire.Grant, 0, len(e.grants))
	for _, lines := range e.grants {
		all = append(all, lines...)
	}
	slices.SortFunc(all, func(a, b wire.Grant) int { return a.Compare(&b) })
	return all
}

// DoorsOf returns the ids of the doors of a record.
func (e *Editor) DoorsOf(g wire.Grant) []string {
	return e.doors.Of(g.DoorSet)
}

// NewID makes a random id: of a grant, a tenancy, a record.
func NewID() (id wire.ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

func seconds(t time.Time) (uint32, error) {
	if t.IsZero() {
		return 0, nil
	}
	if s := t.Unix(); s > 0 && s < 1<<32 {
		return uint32(s), nil
	}
	return 0, errors.New("time is not between 1970 and 2106")
}
