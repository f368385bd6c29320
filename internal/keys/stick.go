package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
)

// houseHeader is the building's id, at the building's key in a key file that has both keys.
const houseHeader = "Building"

// ErrNoStick means a file that is not the whole key file of a house.
var ErrNoStick = errors.New("not a key file that has both keys")

// Stick is the keys that a landlord without a registry keeps away from the gateway. As a file it is
// the issuer's private key, which the tool reads as it is, and after it the building's key.
type Stick struct {
	House    string // id of the building
	Issuer   ed25519.PrivateKey
	Building *BuildingKey
}

// NewStick makes the keys of a house.
func NewStick(house string) (Stick, error) {
	_, issuer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Stick{}, fmt.Errorf("make keys: %w", err)
	}
	building, err := GenerateBuildingKey(1)
	return Stick{house, issuer, building}, err
}

// Public returns the issuer's public key.
func (s Stick) Public() ed25519.PublicKey { return s.Issuer.Public().(ed25519.PublicKey) }

// Text returns the content of the file.
func (s Stick) Text() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(s.Issuer)
	if err != nil {
		return nil, fmt.Errorf("make a key file: %w", err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: buildingBlock,
		Bytes: s.Building.secret[:], Headers: map[string]string{numberHeader: strconv.Itoa(int(s.Building.number)), houseHeader: s.House}})...), nil
}

// ParseStick reads the content of the file. Its error, ErrNoStick, has nothing of it.
func ParseStick(text []byte) (s Stick, err error) {
	first, rest := pem.Decode(text)
	second, rest := pem.Decode(rest)
	if first == nil || first.Type != privateBlock || second == nil || second.Type != buildingBlock || len(bytes.TrimSpace(rest)) > 0 {
		return s, ErrNoStick
	}
	parsed, err := x509.ParsePKCS8PrivateKey(first.Bytes)
	issuer, ok := parsed.(ed25519.PrivateKey)
	building, err2 := parseBuilding(second)
	if !ok || errors.Join(err, err2) != nil {
		return s, ErrNoStick
	}
	return Stick{second.Headers[houseHeader], issuer, building}, nil
}
