package account

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Device makes what a device keeps on which somebody has signed in, so that it is known at the next sign-in. It opens
// nothing. It is signed with the hash of the account's password: with another password, or without the account, it is void.
func (a Account) Device() string {
	id := rand.Text()
	return id + "." + a.sign(id)
}

// Knows returns the device that something kept was made for; false: it was not made for this account.
func (a Account) Knows(kept string) (device string, ok bool) {
	id, sum, _ := strings.Cut(kept, ".")
	return a.ID + "." + id, a.Hash != "" && hmac.Equal([]byte(sum), []byte(a.sign(id)))
}

func (a Account) sign(id string) string {
	mac := hmac.New(sha256.New, []byte(a.Hash))
	mac.Write([]byte("device " + a.ID + " " + id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
