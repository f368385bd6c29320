// Package setup has the commands of an installer: the keys of a building, its registry, and the
// known boards and readers.
package setup

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/firstkeys"
	"gatehouse/internal/keys"
	"gatehouse/internal/socket"
)

// Init is the command that makes the keys of a building.
type Init struct {
	Config string `help:"The site file." default:"/etc/gatehouse/site.toml" placeholder:"FILE"`
	Key    string `required:"" help:"Where the issuer's key is written, best on a stick; the building's key is kept beside it." placeholder:"FILE"`
}

// made is the result of init.
type made struct {
	Building  string   `json:"building"`
	Restored  bool     `json:"restored"` // with the keys of the stick
	IssuerKey string   `json:"issuer_key"`
	Copy      string   `json:"building_key_copy"`
	Files     []string `json:"files"`
}

// Run makes the keys of a building. Keys that are on the stick already are used again: that is how
// a gateway whose SD card died comes back without one swipe.
func (c Init) Run(s *session.Session) error {
	site, err := loadSite(c.Config, "; docs/site-file.md has one to begin with")
	if err != nil {
		return err
	}
	dir := filepath.Join(site.State, "keys")
	if err := firstkeys.Missing(dir); err != nil {
		return err
	}
	if err := c.ready(dir); err != nil {
		return err
	}
	m := made{Building: site.Building, IssuerKey: c.Key, Copy: c.Key + ".building"}
	issuer, building, restored, err := StickKeys(c.Key, m.Copy)
	if errors.Is(err, fs.ErrPermission) {
		return socket.Hinted("name files that you may read", "%v", err)
	}
	if err != nil {
		return err
	}
	m.Restored = restored
	if m.Files, err = firstkeys.Install(site.State, dir, issuer.Public().(ed25519.PublicKey), building); err != nil {
		return err
	}
	return s.Print(m, nil, func(w io.Writer) { writeMade(w, m) })
}

// ready checks for obstacles before any key is made: keys of which only the gateway, or only the
// stick, has a part are worse than none.
func (c Init) ready(dir string) error {
	if info, err := os.Stat(c.Key); err == nil && !info.Mode().IsRegular() {
		return socket.Hinted("name a file in it, as "+filepath.Join(c.Key, "issuer.key"), "--key %s is no file", c.Key)
	}
	if err := writable(filepath.Dir(c.Key)); err != nil {
		return socket.Hinted("plug the stick in, or name a file in a directory that is there and that you may write", "%v", err)
	}
	above := dir
	for _, err := os.Stat(above); errors.Is(err, fs.ErrNotExist) && above != filepath.Dir(above); _, err = os.Stat(above) {
		above = filepath.Dir(above)
	}
	if err := writable(above); err != nil {
		return socket.Hinted("call it by sudo, or name a directory of yours as state in the site file", "%v", err)
	}
	key, err := keys.LoadPrivateKey(c.Key)
	if err != nil { // a new one, which fits where there is none
		return firstkeys.Fits(dir, nil)
	}
	return firstkeys.Fits(dir, key.Public().(ed25519.PublicKey))
}

// writable tries to write as much as the keys need into a directory.
func writable(directory string) error {
	f, err := os.CreateTemp(directory, ".gatehouse-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

func writeMade(w io.Writer, m made) {
	fmt.Fprintf(w, "keys of building %s %s\n", m.Building, command.Choose(m.Restored, "restored from the stick", "made"))
	fmt.Fprintf(w, "  %s signs lists of keys: take it away from the gateway and keep it safe\n", m.IssuerKey)
	fmt.Fprintf(w, "  %s brings the cards back if the gateway dies: keep it with the first\n", m.Copy)
	fmt.Fprintln(w, "start the daemon again if it runs: it reads its keys at the start")
	if m.Restored {
		fmt.Fprintf(w, "then hand the keys of the tenants in again: gatehouse grant restore --key %s\n", m.IssuerKey)
	}
}

// StickKeys loads or makes the keys that are kept away from the gateway. The building's comes
// first, so that an interrupted init continues with it.
func StickKeys(issuerPath, buildingPath string) (ed25519.PrivateKey, *keys.BuildingKey, bool, error) {
	issuer, err := keys.LoadPrivateKey(issuerPath)
	restored := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, false, err
	}
	building, err := keys.LoadBuildingKey(buildingPath)
	if errors.Is(err, fs.ErrNotExist) && restored {
		building, err = besideIssuer(issuerPath, err)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && restored:
		return nil, nil, false, socket.Hinted("name the stick that has both files, or another file for a new key",
			"%s is there, but the building's key %s is not", issuerPath, buildingPath)
	case errors.Is(err, fs.ErrNotExist):
		if building, err = keys.GenerateBuildingKey(1); err == nil {
			err = keys.SaveBuildingKey(buildingPath, building)
		}
	}
	if err == nil && !restored {
		if _, issuer, err = ed25519.GenerateKey(rand.Reader); err == nil {
			err = keys.SavePrivateKey(issuerPath, issuer)
		}
	}
	return issuer, building, restored, err
}

// besideIssuer is the building's key in the file of the issuer's, as the page makes it; else err.
func besideIssuer(path string, err error) (*keys.BuildingKey, error) {
	text, failed := os.ReadFile(path)
	if failed != nil {
		return nil, failed
	}
	if stick, failed := keys.ParseStick(text); failed == nil {
		return stick.Building, nil
	}
	return nil, err
}
