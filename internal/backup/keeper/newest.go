package keeper

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"gatehouse/internal/backup"
)

// Newest is the newest good backup on disk.
type Newest struct {
	Data []byte
	Made time.Time
	// Mark differs if a restore would bring back something else. It ignores the known time, which
	// differs in each backup.
	Mark [sha256.Size]byte
}

// Newest reads the newest backup and opens it with the gateway's own key. The error wraps
// fs.ErrNotExist if there is none.
func (k *Keeper) Newest() (n Newest, err error) {
	k.work.Lock()
	defer k.work.Unlock()
	key, err := k.sealKey()
	if err != nil {
		return n, err
	}
	data, err := os.ReadFile(k.path())
	if err != nil {
		return n, fmt.Errorf("read the backup: %w", err)
	}
	f, err := backup.Decode(data)
	if err != nil {
		return n, fmt.Errorf("%s: %w", k.path(), err)
	}
	c, err := f.Open(key)
	if err != nil {
		return n, fmt.Errorf("%s: %w", k.path(), err)
	}
	c.Clock = nil
	delete(c.Grants, backup.MarksFile) // it repeats the list's version, and has times
	plain, err := json.Marshal(c)
	if err != nil {
		return n, fmt.Errorf("read the backup: %w", err)
	}
	return Newest{Data: data, Made: f.Made, Mark: sha256.Sum256(append(plain, key.Wrap.Salt...))}, nil
}
