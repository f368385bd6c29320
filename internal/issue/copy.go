package issue

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

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
		return control.Grants{}, &control.Error{Message: "no copy of the list at " + path,
			Hint: "every change of the keys leaves one beside the issuer's key; name that key with --key"}
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
		return control.Grants{}, &control.Error{Message: "this gateway has an active list, which may be newer than the copy",
			Hint: "gatehouse grant list shows it; nothing needs to be restored"}
	}
	e, err := grantlist.NewEditor(grantlist.List{Manifest: kept.Manifest, Buckets: kept.Buckets}, now.Building, i.Key, 0)
	if err != nil {
		return control.Grants{}, fmt.Errorf("copy of the list %s: %w", path, err)
	}
	e.Reissue(now.Last)
	if err := label(e, kept.Labels); err != nil {
		return control.Grants{}, fmt.Errorf("copy of the list %s: %w", path, err)
	}
	u, err := i.sign(ctx, e)
	if err != nil {
		return control.Grants{}, err
	}
	return i.Client.Apply(ctx, u)
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
