// Package issue changes the grant list of a house that is its own authority:
// it fetches the list from the daemon, lets the caller edit it, signs the next
// version with the issuer's key, and hands it in. The key never leaves the
// process that it is given to.
package issue

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Issuer signs lists. Safe for concurrent use.
type Issuer struct {
	Client *control.Client
	Key    ed25519.PrivateKey
}

// attempts is how often an edit is made again when somebody else was faster.
const attempts = 4

// earliest is the issue time of a list that nobody can date, unix s: no list was
// made before this format was. It keeps a wrong clock from raising the floor,
// and a clock before it is not set.
const earliest = 1767225600 // 2026-01-01T00:00:00Z

// apart is how far the clocks of this machine and of the gateway may differ.
const apart = 24 * time.Hour

// Edit calls change with the active list, signs what it made of it and hands
// it in; change is called again if the list moved meanwhile.
func (i Issuer) Edit(ctx context.Context, change func(*grantlist.Editor) error) (g control.Grants, err error) {
	for range attempts {
		var refused *control.Error
		if g, err = i.edit(ctx, change); !errors.As(err, &refused) || !refused.Conflict {
			break
		}
	}
	return g, err
}

func (i Issuer) edit(ctx context.Context, change func(*grantlist.Editor) error) (control.Grants, error) {
	l, err := i.Client.List(ctx)
	if err != nil {
		return control.Grants{}, err
	}
	e, err := i.Editor(l)
	if err != nil {
		return control.Grants{}, err
	}
	if err := change(e); err != nil {
		return control.Grants{}, err
	}
	return i.apply(ctx, e)
}

// Editor starts from a list of the daemon. What it is made to is nowhere until Edit. That the key is
// another house's is said here, also where there is no list yet.
func (i Issuer) Editor(l control.List) (*grantlist.Editor, error) {
	e, err := grantlist.NewEditor(grantlist.List{Manifest: l.Manifest, Buckets: l.Buckets}, l.Building, i.Key, 0)
	switch {
	case errors.Is(err, wire.ErrUnknownKey), err == nil && !i.mayIssue(l):
		return nil, socket.Hinted("use the key file that gatehouse init made for it", "this key did not sign the list of this building")
	case err == nil && len(l.Manifest) == 0 && l.Last > 0:
		return nil, socket.Hinted("hand in the copy that lies beside the issuer's key: gatehouse grant restore --key FILE", "this gateway has lost its list of keys")
	}
	return e, err
}

// mayIssue reports whether the daemon takes lists that this key signs, as far as it says so.
func (i Issuer) mayIssue(l control.List) bool {
	own := i.Key.Public().(ed25519.PublicKey)
	return len(l.Issuers) == 0 || slices.ContainsFunc(l.Issuers, func(k []byte) bool { return own.Equal(ed25519.PublicKey(k)) })
}

// apply signs what an editor holds and hands it in.
func (i Issuer) apply(ctx context.Context, e *grantlist.Editor) (control.Grants, error) {
	now, err := i.date(ctx)
	if err != nil {
		return control.Grants{}, err
	}
	u, err := e.Sign(now)
	if err != nil {
		return control.Grants{}, err
	}
	out := control.Update{Manifest: u.Manifest, Buckets: u.Buckets, Labels: map[string]string{}}
	for id, label := range u.Labels {
		out.Labels[id.String()] = label
	}
	return i.Client.Apply(ctx, out)
}

// date is the time of issue. A signed time is never taken back: one from a
// clock that runs ahead would expire a house for good. So it is only as late
// as a trusted gateway clock and this machine's agree on.
func (i Issuer) date(ctx context.Context) (time.Time, error) {
	st, err := i.Client.Status(ctx)
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	if !st.Clock.Trusted {
		return time.Unix(earliest, 0), nil // Sign does not go back behind the list before
	}
	if now.Sub(st.Clock.Now).Abs() > apart {
		return time.Time{}, socket.Hinted("set the wrong one first: a list from the future would end keys too early",
			"the clocks of this machine (%s) and of the gateway (%s) are more than a day apart", calendar.Minute(now, time.UTC), calendar.Minute(st.Clock.Now, time.UTC))
	}
	if now.After(st.Clock.Now) {
		return st.Clock.Now, nil
	}
	return now, nil
}

// Keep writes a copy of the active list to a file, best beside the issuer's
// key: with it a gateway whose card died has its keys back without one swipe.
// It holds credential ids and the landlord's labels, no card numbers.
func (i Issuer) Keep(ctx context.Context, path string) error {
	l, err := i.Client.List(ctx)
	if err != nil {
		return err
	}
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("copy of the list: %w", err)
	}
	return durable.WriteFile(path, b, 0o600)
}

// Restore signs the list of a copy anew, above any version that the gateway has
// ever applied, and hands it in with its labels. It refuses where the gateway
// has an active list.
func (i Issuer) Restore(ctx context.Context, path string) (control.Grants, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return control.Grants{}, socket.Hinted("every change of the keys leaves one beside the issuer's key; name that key with --key", "no copy of the list at %s", path)
	}
	if err != nil {
		return control.Grants{}, fmt.Errorf("read copy of the list: %w", err)
	}
	var kept control.List
	if err := json.Unmarshal(b, &kept); err != nil {
		return control.Grants{}, fmt.Errorf("copy of the list %s: %w", path, err)
	}
	now, err := i.Client.List(ctx)
	if err != nil {
		return control.Grants{}, err
	}
	if len(now.Manifest) > 0 {
		return control.Grants{}, socket.Hinted("gatehouse grant list shows it; nothing needs to be restored", "this gateway has an active list, which may be newer than the copy")
	}
	e, err := grantlist.NewEditor(grantlist.List{Manifest: kept.Manifest, Buckets: kept.Buckets}, now.Building, i.Key, 0)
	if err == nil {
		e.Reissue(now.Last)
		err = label(e, kept.Labels)
	}
	if err != nil {
		return control.Grants{}, fmt.Errorf("copy of the list %s: %w", path, err)
	}
	return i.apply(ctx, e)
}

func label(e *grantlist.Editor, labels map[string]string) error {
	for text, word := range labels {
		id, err := hex.DecodeString(text)
		if err != nil || len(id) != len(wire.ID{}) {
			return errors.New("a label has no grant")
		}
		if err := e.Label(wire.ID(id), word); err != nil {
			return err
		}
	}
	return nil
}

// SetClock signs the time and hands it in, for a nonce of the daemon's. It is good once, and at this gateway alone.
// One that is more than a year from what the gateway knows is refused, but for far.
func (i Issuer) SetClock(ctx context.Context, at time.Time, far bool) (control.Clock, error) {
	ask, err := i.Client.AskClock(ctx)
	if err != nil {
		return control.Clock{}, err
	}
	payload := binary.BigEndian.AppendUint64(ask.Nonce, uint64(at.Unix()))
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeClock, Role: wire.RoleIssuer, Address: ask.Building}, payload, i.Key)
	if err != nil {
		return control.Clock{}, fmt.Errorf("sign the time: %w", err)
	}
	return i.Client.SetClock(ctx, control.SignedClock{Envelope: envelope, Far: far})
}
