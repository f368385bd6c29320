package keyring

import (
	"path/filepath"
	"slices"
	"sync"

	"gatehouse/internal/durable"

	"github.com/rs/zerolog"
)

// aside are the damaged files that were set aside since Open. It is safe for
// concurrent use.
type aside struct {
	log zerolog.Logger

	mu    sync.Mutex
	names []string
}

// put sets a damaged file aside, under a name of its own in the same folder.
func (a *aside) put(path string) {
	name, err := durable.SetAside(path)
	if err != nil {
		a.log.Error().Err(err).Msg("damaged file can't be set aside")
		return
	}
	a.mu.Lock()
	a.names = append(a.names, filepath.Base(name))
	a.mu.Unlock()
	a.log.Error().Str("file", name).Msg("damaged file was set aside")
}

// all returns the names of the files.
func (a *aside) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.names)
}
