package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// Registry returns what the gateway knows of its registry now; nil for a house
// by itself. It may not be changed.
func (k *Keyring) Registry() *keys.Registry { return k.registry.Load() }

// issuers are the keys whose lists are taken: those that the root certifies, or
// in a house by itself those that were pinned by hand.
func (k *Keyring) issuers() []wire.Key {
	if r := k.registry.Load(); r != nil {
		return r.Trust.Keyset(wire.RoleIssuer)
	}
	return k.opts.Keys.Issuers
}

// SetTrust takes a newer word of the root: it is written, then in force. The one
// in force, again, is no error. What it refuses is ErrRefused, with ErrRolledBack
// or an error of wire.Open. Like a list it does not wait for a disk that fails:
// with ErrNotDurable it is in force until the next start.
func (k *Keyring) SetTrust(envelope []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.registry.Load()
	if r == nil {
		return fmt.Errorf("set trust: %w: a house by itself has no registry", ErrRefused)
	}
	t, err := keys.OpenTrust(envelope, r.Root, r.Name)
	if err != nil {
		return fmt.Errorf("set trust: %w: %w", ErrRefused, err)
	}
	if same, err := follows(t.Version, r.Trust.Version, envelope, r.TrustEnvelope); same || err != nil {
		return wrap("set trust", err)
	}
	next := *r
	next.Trust, next.TrustEnvelope = t, bytes.Clone(envelope)
	err = k.setRegistry(&next, keys.TrustFile, envelope)
	k.takeBack()
	return err
}

// follows reports whether a document is the one in force; an error, that it is
// older, or another of the same version.
func follows(version, inForce uint64, envelope, before []byte) (same bool, err error) {
	switch {
	case version > inForce:
		return false, nil
	case version == inForce && bytes.Equal(envelope, before):
		return true, nil
	}
	return false, fmt.Errorf("%w: %w: version %d, version %d is in force", ErrRefused, ErrRolledBack, version, inForce)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// setRegistry writes a document and puts it in force. Callers hold mu.
func (k *Keyring) setRegistry(next *keys.Registry, file string, envelope []byte) error {
	var err error
	if k.opts.Keys.Dir == "" {
		err = errors.New("no folder of keys")
	} else {
		err = durable.WriteFile(filepath.Join(k.opts.Keys.Dir, file), envelope, 0o600)
	}
	k.registry.Store(next)
	if k.list == nil {
		k.refresh() // with issuers the house may know that it knows nobody
	}
	if err != nil {
		k.opts.Log.Error().Err(err).Str("file", file).Msg("word of the registry can't be written")
		return fmt.Errorf("set %s: %w: %w", file, ErrNotDurable, err)
	}
	return nil
}

// RaiseFloor takes a time that a witness has signed, unix s, with the epoch of its
// key. It waits for no disk: Run writes it, at most once an hour, and Close.
func (k *Keyring) RaiseFloor(unix int64, epoch uint64) {
	k.raiseFloor(wire.RoleEpoch{Role: wire.RoleWitness, Epoch: epoch}, unix)
	k.time.Hear(unix, k.own())
}

// own is the machine's own clock, in s.
func (k *Keyring) own() int64 { return int64(k.opts.Elapsed() / time.Second) }

// hearList takes the time of a list: all of it from the landlord, and from a
// registry no more than a day beyond what a witness has said.
func (k *Keyring) hearList(l *list) {
	issued := int64(l.manifest.Issued)
	if k.registry.Load() != nil {
		issued = k.time.HearList(issued)
	}
	k.raiseFloor(wire.RoleEpoch{Role: wire.RoleIssuer, Epoch: l.signer.Epoch}, issued)
}

func (k *Keyring) raiseFloor(by wire.RoleEpoch, unix int64) {
	k.floors.Raise(by, unix)
}

// takeBack drops the time that keys have signed whose word the root has taken
// back. Callers hold mu.
func (k *Keyring) takeBack() {
	r := k.registry.Load()
	if r == nil || !k.floors.Drop(func(by wire.RoleEpoch) bool { return r.Trust.IsFalse(by.Role, by.Epoch) }) {
		return
	}
	k.time.Lower(k.floors.Highest(wire.RoleWitness))
	m := k.marks
	m.Floor, m.Floors, m.WitnessedMarks = k.floors.Top(), k.floors.Marks(), k.time.Marks()
	k.saveMarks(m)
}

// floorEvery is how far the floor on disk may be behind: a card lives longer
// with a write an hour than with one an ack.
const floorEvery = 60 * 60 // s

// saveFloor writes the floor where it is ahead of the file by so much. Callers
// hold mu.
func (k *Keyring) saveFloor(ahead int64) {
	if floor := k.floors.Top(); floor >= k.marks.Floor+ahead {
		m := k.marks
		m.Floor, m.Floors, m.WitnessedMarks = floor, k.floors.Marks(), k.time.Marks()
		k.saveMarks(m)
	}
}
