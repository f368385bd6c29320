package papers

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"os"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

type keyCmd struct {
	File    string `arg:"" help:"New file of the private key; FILE.pub is the public one."`
	Receive bool   `help:"A key that answers are sealed to, instead of one to sign with."`
}

// madeKey is the answer of `mandate key`.
type madeKey struct {
	Private string `json:"private"`
	Public  string `json:"public"`
	ID      string `json:"id,omitempty"`        // of a key to sign with
	Key     []byte `json:"recipient,omitempty"` // of a key to receive with: what the form wants
}

// Run makes a key pair. Neither file is ever written over another.
func (c keyCmd) Run(s *session.Session) error {
	made, err := c.make()
	if err == nil {
		err = os.Chmod(made.Public, 0o644) // it is handed out
	}
	return s.Print(made, err, func(w io.Writer) {
		fmt.Fprintf(w, "私钥 private: %s\n公钥 public:  %s\n", made.Private, made.Public)
		if made.ID != "" {
			fmt.Fprintf(w, "编号 id:      %s\n", made.ID)
		}
	})
}

func (c keyCmd) make() (made madeKey, err error) {
	made = madeKey{Private: c.File, Public: c.File + ".pub"}
	if err := cmp.Or(command.NewFile("FILE", made.Private), command.NewFile("FILE", made.Public)); err != nil {
		return made, err
	}
	if c.Receive {
		private, public, err := sealing.GenerateKey()
		if err == nil {
			err = keys.SaveSealKey(made.Private, private)
		}
		if err == nil {
			err = keys.SaveSealPublic(made.Public, public)
		}
		made.Key = public
		return made, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err == nil {
		err = keys.SavePrivateKey(made.Private, private)
	}
	if err == nil {
		err = keys.SaveIssuer(made.Public, wire.Key{Public: public})
	}
	made.ID = idText(wire.IDOf(public))
	return made, err
}

// recipientKey reads a key to seal to: a file of mandate key, or base64.
func recipientKey(answer string) ([]byte, error) {
	if public, err := base64.StdEncoding.DecodeString(answer); err == nil && sealing.CheckPublic(public) == nil {
		return public, nil
	}
	return keys.LoadSealPublic(answer)
}
