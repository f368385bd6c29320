package osdp

import (
	"errors"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// keySends is how often one new key is sent before it is given up.
const keySends = 3

// role is what a key is to us.
type role uint8

const (
	roleNone    role = iota
	roleNext         // sent, not proved: tried first, the reader may have it
	roleCurrent      // proved
	roleDefault      // everybody's: only while the window is open
)

// keyring is the keys of one reader and which of them is tried.
type keyring struct {
	store  KeyStore
	keys   Keys
	loaded bool
	dirty  bool // what is here could not be saved

	trying  role
	rounds  int  // all keys failed, so often in a row
	standby bool // the reader showed that it has the default key
	sends   int  // of KEYSET with the key at hand
}

// load reads the keys once. Keys that anybody would try are not used.
func (k *keyring) load() error {
	if k.loaded {
		return nil
	}
	keys, err := k.store.Load()
	if err != nil {
		return err
	}
	for _, key := range []*Key{keys.Current, keys.Next} {
		if key != nil {
			if err := key.Weak(); err != nil {
				return err
			}
		}
	}
	k.keys, k.loaded = keys, true
	return nil
}

// save makes keys durable and only then ours.
func (k *keyring) save(keys Keys) error {
	if err := k.store.Save(keys); err != nil {
		return err
	}
	k.keys, k.loaded, k.dirty = keys, true, false
	return nil
}

func (k *keyring) key(r role) *Key {
	switch r {
	case roleNext:
		return k.keys.Next
	case roleCurrent:
		return k.keys.Current
	case roleDefault:
		return &defaultKey
	}
	return nil
}

// pick returns the key to try, from the one at hand on; roleNone when all failed.
func (k *keyring) pick(install bool) role {
	for r := max(k.trying, roleNext); r <= roleDefault; r++ {
		if k.key(r) != nil && (r != roleDefault || install) {
			k.trying = r
			return r
		}
	}
	k.trying = roleNone
	return roleNone
}

// fresh begins a new round.
func (k *keyring) fresh() { k.trying, k.rounds, k.standby = roleNone, 0, false }

// watch keeps the window of Install: it tells when it opens and closes, and
// returns when it will close; zero for a closed one.
func (r *Reader) watch(now time.Time) time.Time {
	r.mu.Lock()
	w := r.asked.window
	opened := w.open && !w.told
	if opened {
		r.asked.window.told = true
	}
	closed := w.open && (w.end || !now.Before(w.until))
	if closed {
		r.asked.window = window{}
	}
	r.mu.Unlock()
	if opened {
		r.keys.fresh()
		r.keys.sends, r.setbacks = 0, 0
		if r.presence != here {
			r.due = now
		}
		r.log.Info().Msg("install window open")
		r.out.push(device.Event{Kind: device.InstallOpened}, now)
	}
	if closed {
		r.log.Info().Msg("install window closed")
		r.out.push(device.Event{Kind: device.InstallClosed}, now)
		return time.Time{}
	}
	return w.until
}

// installing says that the window is open at this moment.
func (r *Reader) installing(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.asked.window
	return w.open && !w.end && now.Before(w.until)
}

// closeWindow ends the window: it has served.
func (r *Reader) closeWindow(now time.Time) {
	r.mu.Lock()
	if r.asked.window.open {
		r.asked.window.end = true
	}
	r.mu.Unlock()
	r.watch(now)
}

// prepareKey makes the key that KEYSET shall bring, and has it on disk before
// anybody else can have it. A key that was sent under the default key is not sent
// again: it may have been read.
func (r *Reader) prepareKey(now time.Time) bool {
	k := &r.keys
	if k.sends >= keySends {
		r.keyFailed(fault.Refused, now)
		return false
	}
	if k.trying == roleDefault || k.keys.Next == nil {
		key := NewKey()
		if err := k.save(Keys{Current: k.keys.Current, Next: &key}); err != nil {
			r.log.Error().Err(err).Msg("new key of reader can't be saved, it is not sent")
			r.keyFailed(fault.IO, now)
			return false
		}
	}
	k.sends++
	r.log.Info().Msg("new key goes to reader")
	r.out.push(device.Event{Kind: device.KeySent}, now)
	return true
}

// keyFailed gives up a new key. Only for a reader that just showed that it has
// another, or when nothing was sent.
func (r *Reader) keyFailed(cause fault.Code, now time.Time) {
	k := &r.keys
	if k.keys.Next != nil {
		if err := k.save(Keys{Current: k.keys.Current}); err != nil {
			r.log.Error().Err(err).Msg("keys of reader can't be saved")
		}
	}
	k.sends = 0
	r.log.Warn().Stringer("fault", cause).Msg("new key of reader failed")
	r.out.push(device.Event{Kind: device.KeyFailed, Fault: cause}, now)
	r.closeWindow(now)
}

// keyProved makes the new key the only one. If it can't be saved now, the disk
// still has both, and it is saved later.
func (r *Reader) keyProved(now time.Time) {
	k := &r.keys
	keys := Keys{Current: k.keys.Next}
	if err := k.save(keys); err != nil {
		r.log.Error().Err(err).Msg("keys of reader can't be saved, tried again")
		k.keys, k.dirty = keys, true
	}
	k.sends, k.trying = 0, roleCurrent
	r.log.Info().Msg("new key of reader proved")
	r.out.push(device.Event{Kind: device.KeyProved}, now)
	r.adopt(now)
	r.note(func(s *Status) { s.Secure = true }) // before the window closes, for whoever waits for that
	r.closeWindow(now)
	r.holds(fault.WeakKey, false, now)
}

// keyFault says why no key fits.
func (r *Reader) keyFault(err error) fault.Code {
	switch {
	case errors.Is(err, ErrWeakKey):
		return fault.WeakKey
	case r.keys.standby:
		return fault.DefaultKey
	case r.lasting[fault.Downgrade]:
		return fault.Downgrade
	case r.keys.keys.Current == nil && r.keys.keys.Next == nil:
		return fault.NoKey
	}
	return fault.WrongKey
}
