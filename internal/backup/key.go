package backup

import (
	"crypto/aes"
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
)

// KeyFile is the key's file in a gateway's directory of keys.
const KeyFile = "backup.key"

// Key seals the backups of a gateway. It stands on the gateway, which so seals and
// looks at them by itself, and wrapped under the recovery code in each backup.
type Key struct {
	Secret []byte    `json:"secret"` // 32 bytes
	Wrap   Wrap      `json:"wrap"`
	Made   time.Time `json:"made"`            // with its code
	Proved time.Time `json:"proved,omitzero"` // when the code has opened a backup last; zero: never
}

// Format keeps every verb of fmt from printing the key.
func (k *Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, "backup key") }

// Wrap is a key sealed under a recovery code: AES-256-GCM under Argon2id of the code.
type Wrap struct {
	Salt   []byte `json:"salt"`       // 16 bytes
	Memory uint32 `json:"memory_kib"` // of Argon2id
	Passes uint32 `json:"passes"`
	Sealed []byte `json:"sealed"` // nonce, then the sealed key
}

// The cost of one try of a code: what a small gateway can pay while it serves doors. The
// code has 80 random bits, which nobody tries out at any cost.
const (
	memoryKiB = 19 << 10
	passes    = 2
)

// The most that a wrap may ask for: a backup from somewhere must not exhaust the machine.
const (
	mostMemory = 256 << 10 // KiB
	mostPasses = 16
)

const (
	keySize  = 32
	saltSize = 16
)

// NewKey makes a key, and wraps it under a code.
func NewKey(c recovery.Code, now time.Time) (*Key, error) {
	k := &Key{Secret: make([]byte, keySize), Made: now.UTC().Truncate(time.Second),
		Wrap: Wrap{Salt: make([]byte, saltSize), Memory: memoryKiB, Passes: passes}}
	_, _ = rand.Read(k.Secret) // never fails
	_, _ = rand.Read(k.Wrap.Salt)
	aead, err := k.Wrap.under(c)
	if err != nil {
		return nil, err
	}
	k.Wrap.Sealed = seal(aead, k.Secret, nil)
	return k, nil
}

// under is the cipher of a code. What it took of the memory goes back at once.
func (w Wrap) under(c recovery.Code) (cipher.AEAD, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	defer debug.FreeOSMemory()
	return aeadOf(argon2.IDKey(c.Secret(), w.Salt, w.Passes, w.Memory, 1, keySize)), nil
}

func (w Wrap) check() error {
	if len(w.Salt) != saltSize || w.Memory < 8 || w.Memory > mostMemory || w.Passes < 1 || w.Passes > mostPasses {
		return fmt.Errorf("%w: how its key is wrapped", ErrDamaged)
	}
	return nil
}

// ErrCode means that a code does not open a backup.
var ErrCode = errors.New("the code does not open this backup: it is the code of another gateway, or of before a new one was made")

// Unwrap opens a wrapped key: ErrCode where it is another code's.
func (w Wrap) Unwrap(c recovery.Code) (secret []byte, err error) {
	aead, err := w.under(c)
	if err != nil {
		return nil, err
	}
	secret, err = open(aead, w.Sealed, nil)
	if err != nil || len(secret) != keySize {
		return nil, ErrCode
	}
	return secret, nil
}

func aeadOf(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// seal returns a random nonce and the sealed text.
func seal(aead cipher.AEAD, plain, with []byte) []byte {
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plain, with)
}

func open(aead cipher.AEAD, sealed, with []byte) ([]byte, error) {
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("too short")
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], with)
}

// LoadKey reads a key file. An error wraps fs.ErrNotExist where there is none, and holds
// nothing of what is in it.
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

// Save writes the key file, of mode 0600, over whatever is there.
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
