package keyring

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Names of the small files. They are JSON, and rewritten whole.
const (
	marksFile  = "marks.json"
	labelsFile = "labels.json"
	adoptFile  = "adopt.json"
)

// marks are what may only rise, whatever files somebody swaps.
type marks struct {
	Epoch     uint64      `json:"epoch,omitempty"`    // of the issuer's role that signed the highest list ever applied
	Version   uint64      `json:"version"`            // of that list
	Hash      wire.Hash   `json:"hash"`               // of its manifest
	Floor     int64       `json:"floor"`              // highest signed time ever believed, unix s
	Authority string      `json:"registry,omitempty"` // whose versions these are: the root's key; empty: the landlord's own
	Signer    *signer     `json:"signer,omitempty"`   // of that list
	Gateways  []wire.Hash `json:"gateways,omitempty"` // keys of siblings that were removed from the building
	Removed   []removal   `json:"removed,omitempty"`  // from whom lists of the last day took something
	// Floors has the highest signed time of each key's epoch.
	Floors []signedtime.FloorMark `json:"floors,omitempty"`
	Undos  uint64                 `json:"undos,omitempty"` // how often two issuers took one of these back
	// Notices are those of which the list in force tells.
	Notices []heardOf `json:"notices,omitempty"`
	signedtime.WitnessedMarks
}

// signer is an issuer's key.
type signer struct {
	Public wire.Hash `json:"public"`
	Epoch  uint64    `json:"epoch"`
}

func (s *signer) key() wire.Key {
	return wire.Key{Role: wire.RoleIssuer, Epoch: s.Epoch, Public: s.Public[:]}
}

// admit reports whether a list that was found or sent may be in force.
func (m marks) admit(l *list) bool {
	c := l.rank().compare(m.rank())
	return c > 0 || c == 0 && m.Hash == l.hash
}

func (m marks) rank() rank { return rank{m.Epoch, m.Version} }

// marksAfter returns the marks with l in force.
func (k *Keyring) marksAfter(l *list) marks {
	m := k.marks
	if m.rank() == l.rank() && m.Hash == l.hash {
		return m
	}
	own := k.own()
	k.time.CaughtUp(own)
	m.Floor, m.Floors, m.WitnessedMarks = k.floors.Top(), k.floors.Marks(), k.time.Marks()
	m.Epoch, m.Version, m.Hash, m.Signer = l.signer.Epoch, l.manifest.Version, l.hash, nil
	for _, key := range k.issuers() {
		if m.Authority != "" && key.Epoch == l.signer.Epoch && wire.IDOf(key.Public) == l.signer.KeyID {
			m.Signer = &signer{wire.Hash(key.Public), key.Epoch}
		}
	}
	m.Removed = slices.DeleteFunc(slices.Clone(m.Removed), func(r removal) bool { return !r.lately(own) })
	if len(l.removed) > 0 {
		r := removal{At: own}
		for _, id := range l.removed {
			r.Tenancies = append(r.Tenancies, id)
		}
		m.Removed = append(m.Removed, r)
	}
	return m
}

// of returns the marks for lists of an authority. Another one begins anew: its
// versions have nothing to do with those before. Time goes on.
func (m marks) of(authority string) marks {
	if m.Authority == authority {
		return m
	}
	return marks{Floor: m.Floor, Undos: m.Undos, Authority: authority, WitnessedMarks: signedtime.WitnessedMarks{At: m.Floor}}
}

// saveMarks may fail: both lists are written by then, and each raises the mark
// again at the next start.
func (k *Keyring) saveMarks(m marks) {
	if reflect.DeepEqual(m, k.marks) {
		return
	}
	k.marks = m
	if err := k.save(marksFile, m); err != nil {
		k.opts.Log.Error().Err(err).Msg("mark of the newest list can't be written")
	}
}

// readLocal reads the small files. A damaged one is set aside and counts as
// empty.
func (k *Keyring) readLocal() {
	k.read(marksFile, &k.marks)
	authority := ""
	if r := k.registry.Load(); r != nil {
		authority = hex.EncodeToString(r.Root)
	}
	k.marks = k.marks.of(authority)
	if k.marks.Epoch == 0 && k.marks.Signer != nil {
		k.marks.Epoch = k.marks.Signer.Epoch // written before lists compared by it
	}
	k.readOver()
	removals := k.readRemovals()
	k.limits, k.next = removals.restraint, removals.Next
	k.over.add(k.limits.Gone...)
	k.read(labelsFile, &k.labels)
	k.read(adoptFile, &k.adopt.rows)
	k.floors.Load(k.marks.Floors, k.marks.Floor)
	k.time.Load(k.marks.WitnessedMarks)
	k.takeBack()
}

func (k *Keyring) read(name string, v any) {
	path := filepath.Join(k.opts.Dir, name)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		k.opts.Log.Error().Err(err).Msg("file beside the grants can't be read")
		return
	}
	if err := json.Unmarshal(data, v); err != nil {
		k.aside.put(path)
	}
}

func (k *Keyring) save(name string, v any) error {
	defer k.didWrite()
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return durable.WriteFile(filepath.Join(k.opts.Dir, name), data, 0o600)
}

// labels are the landlord's own words for a grant: "3rd floor left".
type labels map[wire.ID]string

func checkLabels(labels map[wire.ID]string) error {
	for _, label := range labels {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	return nil
}

// checkLabel never repeats the label in its error.
func checkLabel(label string) error {
	_, err := naming.Label(label)
	return err
}

// setLabels changes labels, an empty one erases, and writes them if any differs.
func (k *Keyring) setLabels(changes map[wire.ID]string) error {
	next := maps.Clone(k.labels)
	if next == nil {
		next = make(labels)
	}
	for id, label := range changes {
		if label == "" {
			delete(next, id)
		} else {
			next[id] = label
		}
	}
	if maps.Equal(next, k.labels) {
		return nil
	}
	k.labels = next
	return k.save(labelsFile, next)
}
