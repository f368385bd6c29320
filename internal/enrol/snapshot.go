package enrol

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/network"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

const (
	pathSnapshot   = "/v1/snapshot"       // envelope in a header, and the backup -> JSON {kept}
	pathFetch      = "/v1/snapshot/fetch" // JSON {building, gateway, proof, turn} -> the backup
	snapshotHeader = "Gatehouse-Snapshot"
	snapshotTime   = 10 * time.Minute // for a backup over a slow line
)

var (
	// ErrNoSnapshots means a registry whose program is older than snapshots.
	ErrNoSnapshots = errors.New("this registry keeps no snapshots: its program is older")
	// ErrNoSnapshot means one that has none of this gateway.
	ErrNoSnapshot = errors.New("the registry has no snapshot of this gateway")
)

// SendSnapshot hands a backup to the registry that a gateway is enrolled with; envelope is
// the gateway's word on it. Without data it asks only whether that one is kept there. A
// backup that is kept is on the registry's disk. Of the options Dir, Now, Trusted and Network
// count. The error is ErrNoSnapshots where the registry does not know of any.
func SendSnapshot(ctx context.Context, o RenewerOptions, envelope, data []byte) (kept bool, err error) {
	_, roots, err := servers(o.Dir)
	if err != nil {
		return false, fmt.Errorf("send snapshot: %w", err)
	}
	at, err := LoadAddresses(o.Dir)
	if err != nil {
		return false, fmt.Errorf("send snapshot: %w", err)
	}
	var errs []error
	for _, host := range at.Enrol {
		body, err := exchange(ctx, newClient(o.Network, host, byRoots(roots, o.Now, o.Trusted)), pathSnapshot, data, envelope)
		var said struct {
			Kept bool `json:"kept"`
		}
		if err == nil && json.Unmarshal(body, &said) != nil {
			err = fmt.Errorf("%w: its answer can't be read", wire.ErrMalformed)
		}
		if err == nil || errors.Is(err, errRefused) || errors.Is(err, ErrNoSnapshots) || ctx.Err() != nil {
			return said.Kept, err
		}
		errs = append(errs, err)
	}
	return false, fmt.Errorf("send snapshot: %w", errors.Join(errs...))
}

// FetchSnapshot asks the registry of a token for a backup of its gateway: turn 0 is the
// newest, 1 the one before. The token stays good. What comes is as somebody at the registry
// sent it: only the recovery code proves it. Errors wrap ErrNoSnapshots or ErrNoSnapshot.
func FetchSnapshot(ctx context.Context, n network.Network, token wire.Token, turn int) ([]byte, error) {
	at := token.At()
	proof := snapshot.Proof(token.Secret, at.Address())
	body, err := json.Marshal(struct {
		Building string `json:"building"`
		Gateway  string `json:"gateway"`
		Proof    string `json:"proof"`
		Turn     int    `json:"turn"`
	}{at.Building, at.Gateway, hex.EncodeToString(proof[:]), turn})
	if err != nil {
		return nil, err
	}
	data, err := exchange(ctx, newClient(n, token.Enrol, pinned(token.CA)), pathFetch, body, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch snapshot: %w", err)
	}
	return data, nil
}

// exchange posts bytes, maybe with a gateway's word on them, and returns those that come back.
func exchange(ctx context.Context, c *client, path string, body, envelope []byte) ([]byte, error) {
	c.http.Timeout = snapshotTime
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.host+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the registry: %w", err)
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	if envelope != nil {
		r.Header.Set(snapshotHeader, base64.RawURLEncoding.EncodeToString(envelope))
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, c.explain(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, snapshot.Most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the registry's answer: %w", err)
	case len(b) > snapshot.Most:
		return nil, fmt.Errorf("read the registry's answer: %w: more than %d bytes", wire.ErrTooLarge, snapshot.Most)
	case res.StatusCode == http.StatusOK:
		return b, nil
	case res.StatusCode != http.StatusNotFound:
		return nil, refusal(res.StatusCode, b)
	case json.Valid(b):
		return nil, &wrapped{&control.Error{Message: ErrNoSnapshot.Error(), Hint: "restore it from the stick; where there is none: docs/restore.md, a gateway's card"}, ErrNoSnapshot}
	}
	return nil, &wrapped{&control.Error{Message: ErrNoSnapshots.Error(), Hint: "use the stick; the registry's operator brings the registry up to date"}, ErrNoSnapshots}
}
