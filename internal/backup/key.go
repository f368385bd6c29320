package backup

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/crypto/argon2"

	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/durable"
	"gatehouse/sync/wire/sealing"
)

// KeyFile is the name of the key's file in a gateway's directory of keys.
const KeyFile = "backup.key"

// Key seals the backups of a gateway. The gateway has it, so that it can seal and check backups
// alone; each backup has it wrapped under the recovery code.
type Key struct {
	Secret []byte    `json:"secret"` // 32 bytes
	Wrap   Wrap      `json:"wrap"`
	Made   time.Time `json:"made"`            // when key and code were made
	Proved time.Time `json:"proved,omitzero"` // when the code last opened a backup; zero: never
}

// Format keeps every verb of package fmt from printing the key.
func (k *Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, "backup key") }

// Wrap is a key sealed under a recovery code: AES-256-GCM under Argon2id of the code.
type Wrap struct {
	Salt   []byte `json:"salt"`       // 16 bytes
	Memory uint32 `json:"memory_kib"` // of Argon2id
	Passes uint32 `json:"passes"`
	Sealed []byte `json:"sealed"` // nonce, then the sealed key
}

// The cost of one try of a code: what a small gateway can afford while it serves doors. The
// code has 80 random bits, too many to be tried at any cost.
const (
	memoryKiB = 19 << 10
	passes    = 2
)

// The most that a wrap may demand: a foreign backup must not exhaust the machine.
const (
	mostMemory = 256 << 10 // KiB
	mostPasses = 16
)

const (
	keySize  = 32
	saltSize = 16
)

// NewKey makes a random key, and wraps it under a code.
func NewKey(c recovery.Code, now time.Time) (*Key, error) {
	k := &Key{Secret: make([]byte, keySize), Made: now.UTC().Truncate(time.Second),
		Wrap: Wrap{Salt: make([]byte, saltSize), Memory: memoryKiB, Passes: passes}}
	_, _ = rand.Read(k.Secret) // never fails
	_, _ = rand.Read(k.Wrap.Salt)
	aead, err := k.Wrap.under(c)
	if err != nil {
		return nil, err
	}
	k.Wrap.Sealed = aead.Seal(nil, nil, k.Secret, nil)
	return k, nil
}

// under returns the cipher of a code. It returns the memory of Argon2id to the system at once.
func (w Wrap) under(c recovery.Code) (cipher.AEAD, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	defer debug.FreeOSMemory()
	return sealing.AES(argon2.IDKey(c.Secret(), w.Salt, w.Passes, w.Memory, 1, keySize)), nil
}

func (w Wrap) check() error {
	if len(w.Salt) != saltSize || w.Memory < 8 || w.Memory > mostMemory || w.Passes < 1 || w.Passes > mostPasses {
		return fmt.Errorf("%w: its wrapped key", ErrDamaged)
	}
	return nil
}

// ErrCode means that a code does not open a backup.
var ErrCode = errors.New("the code does not open this backup: it is the code of another gateway, or of before a new one was made")

// Unwrap returns the wrapped key. The error is ErrCode for another code, or wraps ErrDamaged.
func (w Wrap) Unwrap(c recovery.Code) (secret []byte, err error) {
	aead, err := w.under(c)
	if err != nil {
		return nil, err
	}
	secret, err = aead.Open(nil, nil, w.Sealed, nil)
	if err != nil || len(secret) != keySize {
		return nil, ErrCode
	}
	return secret, nil
}

// LoadKey reads a key file. The error wraps fs.ErrNotExist if there is none, and contains nothing
// of the key.
func LoadKey(path string) (*Key, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load backup key: %w", err)
	}
	var k Key
	if json.Unmarshal(data, &k) != nil || len(k.Secret) != keySize || k.Wrap.check() != nil {
		return nil, fmt.Errorf("load backup key: %s is damaged", path)
	}
	return &k, nil
}

// Save writes the key file with mode 0600, and replaces an existing one.
func (k *Key) Save(path string) error {
	data, err := json.Marshal(k)
	if err == nil {
		err = durable.WriteFile(path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("save backup key: %w", err)
	}
	return nil
}
