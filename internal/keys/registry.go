package keys

import (
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// Names of the files that enrolment adds to a gateway's directory of keys.
const (
	RegistryFile   = "registry.json" // which registry, and where; written last: with it the gateway is enrolled
	RootFile       = "root.pub"      // PEM "PUBLIC KEY" (PKIX, Ed25519)
	TrustFile      = "trust.cose"    // envelope of a wire.Trust
	HouseFile      = "house.cose"    // envelope of a wire.House
	SealKeyFile    = "kem.key"       // PEM "GATEHOUSE SEAL KEY"
	ClientKeyFile  = "client.key"    // PEM "PRIVATE KEY" (PKCS #8, ECDSA P-256)
	ClientCertFile = "client.crt"    // PEM "CERTIFICATE", the gateway's first
	CAFile         = "ca.pem"        // PEM "CERTIFICATE": the only CAs of a registry's server
)

const (
	sealBlock       = "GATEHOUSE SEAL KEY"
	sealPublicBlock = "GATEHOUSE SEAL PUBLIC KEY"
)

// Registry is the stored data of a gateway's registry: an immutable snapshot. Root is pinned for
// good; Trust is the root's document, House an issuer's.
type Registry struct {
	Place         wire.Place
	Name          string // the registry's id
	Enrol         string // host:port of its HTTPS
	Broker        string // host:port of its MQTT over TLS
	Root          ed25519.PublicKey
	Trust         wire.Trust
	House         wire.House
	TrustEnvelope []byte
	HouseEnvelope []byte
	KEM           []byte // private: opens what is sealed to this gateway
}

// Strange reports whether the house is known, and the gateway does not belong to it.
func (r *Registry) Strange(gateway string) bool {
	return r.House.Version > 0 && r.House.Gateway(gateway) == nil
}

// registryRow is the content of RegistryFile.
type registryRow struct {
	Registry string `json:"registry"`
	District string `json:"district"`
	Town     string `json:"town"`
	Building string `json:"building"`
	Gateway  string `json:"gateway"`
	Enrol    string `json:"enrol"`
	Broker   string `json:"broker"`
}

// LoadRegistry reads the files of an enrolment in a directory of keys: nil and no error in a
// standalone house. Trust is verified by the root, House by the issuers that it names; where a file
// is missing or does not verify, the rest is returned with an error that names each.
func LoadRegistry(dir string) (*Registry, error) {
	r, err := readPlace(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load registry: %w", err)
	}
	var errs [4]error
	r.Root, errs[0] = LoadRoot(filepath.Join(dir, RootFile))
	r.KEM, errs[1] = LoadSealKey(filepath.Join(dir, SealKeyFile))
	if r.TrustEnvelope, errs[2] = os.ReadFile(filepath.Join(dir, TrustFile)); errs[2] == nil {
		r.Trust, errs[2] = OpenTrust(r.TrustEnvelope, r.Root, r.Name)
	}
	if r.HouseEnvelope, errs[3] = os.ReadFile(filepath.Join(dir, HouseFile)); errs[3] == nil {
		r.House, errs[3] = OpenHouse(r.HouseEnvelope, r.Trust, r.Place.Building)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return r, fmt.Errorf("load registry: %w", err)
	}
	return r, nil
}

func readPlace(dir string) (*Registry, error) {
	path := filepath.Join(dir, RegistryFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := parsePlace(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func parsePlace(b []byte) (*Registry, error) {
	var row registryRow
	if err := json.Unmarshal(b, &row); err != nil {
		return nil, err
	}
	r := &Registry{Name: row.Registry, Enrol: row.Enrol, Broker: row.Broker,
		Place: wire.Place{District: row.District, Town: row.Town, Building: row.Building, Gateway: row.Gateway}}
	if err := r.Place.Check(); err != nil {
		return nil, err
	}
	if !wire.ValidName(r.Name, false) {
		return nil, fmt.Errorf("registry %q is no id", r.Name)
	}
	return r, nil
}

// SavePlace writes RegistryFile: name, place and hosts of r. It must be called when all other files
// of an enrolment are there.
func SavePlace(dir string, r *Registry) error {
	b, err := json.MarshalIndent(registryRow{r.Name, r.Place.District, r.Place.Town, r.Place.Building, r.Place.Gateway, r.Enrol, r.Broker}, "", "  ")
	if err != nil {
		return fmt.Errorf("save registry: %w", err)
	}
	return durable.WriteFile(filepath.Join(dir, RegistryFile), append(b, '\n'), 0o600)
}

// OpenTrust returns the root's document in an envelope, for the registry of that id. The errors are
// those of wire.Open and wire.Decode.
func OpenTrust(envelope []byte, root ed25519.PublicKey, registry string) (wire.Trust, error) {
	expect := wire.Expect{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: registry, Newest: wire.Formats}
	payload, p, err := wire.Open(envelope, expect, []wire.Key{{Role: wire.RoleRoot, Public: root}})
	if err != nil {
		return wire.Trust{}, fmt.Errorf("trust: %w", err)
	}
	t, err := wire.DecodeTrust(p.Version, payload)
	if err != nil {
		return wire.Trust{}, err
	}
	if t.Registry != registry {
		return wire.Trust{}, fmt.Errorf("trust: %w: it is of registry %s", wire.ErrWrongAddress, t.Registry)
	}
	return t, nil
}

// OpenHouse returns an issuer's document about the building, by that trust. The errors are those of
// wire.Open and wire.Decode.
func OpenHouse(envelope []byte, trust wire.Trust, building string) (wire.House, error) {
	expect := wire.Expect{Type: wire.TypeHouse, Role: wire.RoleIssuer, Address: building}
	payload, _, err := wire.Open(envelope, expect, trust.Keyset(wire.RoleIssuer))
	if err != nil {
		return wire.House{}, fmt.Errorf("house: %w", err)
	}
	var h wire.House
	if err := wire.Decode(payload, &h); err != nil {
		return wire.House{}, err
	}
	return h, nil
}

// LoadRoot reads the root's public key.
func LoadRoot(path string) (ed25519.PublicKey, error) { return loadPublic("root", path) }

// LoadPublic reads the public Ed25519 key of anybody else.
func LoadPublic(path string) (ed25519.PublicKey, error) { return loadPublic("public", path) }

func loadPublic(what, path string) (ed25519.PublicKey, error) {
	block, err := readBlock(path, publicBlock)
	if err != nil {
		return nil, fmt.Errorf("load %s key: %w", what, err)
	}
	public, err := publicKey(block)
	if err != nil {
		return nil, fmt.Errorf("load %s key: %s: %w", what, path, err)
	}
	return public, nil
}

// LoadSealKey reads a private key of HPKE in the form of sealing.Unseal.
func LoadSealKey(path string) ([]byte, error) {
	block, err := readBlock(path, sealBlock)
	if err != nil {
		return nil, fmt.Errorf("load seal key: %w", err)
	}
	if len(block.Bytes) == 0 {
		return nil, fmt.Errorf("load seal key: %s: it is empty", path)
	}
	return block.Bytes, nil
}

// SaveSealKey writes a private key of HPKE to a new file of mode 0600; it
// refuses to overwrite one.
func SaveSealKey(path string, private []byte) error {
	return saveNew(path, &pem.Block{Type: sealBlock, Bytes: private})
}

// SaveSealPublic writes the public key of HPKE that belongs to a private one to a new file.
func SaveSealPublic(path string, public []byte) error {
	return saveNew(path, &pem.Block{Type: sealPublicBlock, Bytes: public})
}

// LoadSealPublic reads a public key of HPKE, and refuses one that nothing can be sealed to.
func LoadSealPublic(path string) ([]byte, error) {
	block, err := readBlock(path, sealPublicBlock)
	if err == nil {
		err = sealing.CheckPublic(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("load public key to seal to: %w", err)
	}
	return block.Bytes, nil
}

// ErrOtherFloor means an undo of a time that is not the highest one signed to the gateway, or that
// it has undone already.
var ErrOtherFloor = errors.New("it takes back another time than the one here")

// OpenUndo reads what two issuers sign to take a time back at a gateway: the envelope of one holds
// that of another. The errors are those of wire.Open.
func OpenUndo(envelope []byte, place wire.Place, trust wire.Trust) (wire.Floor, error) {
	issuers := trust.Keyset(wire.RoleIssuer)
	expect := wire.Expect{Type: wire.TypeUndo, Role: wire.RoleIssuer, Address: place.Address()}
	inner, second, err := wire.Open(envelope, expect, issuers)
	if err != nil {
		return wire.Floor{}, err
	}
	payload, first, err := wire.Open(inner, expect, issuers)
	if err != nil {
		return wire.Floor{}, err
	}
	if first.KeyID == second.KeyID {
		return wire.Floor{}, fmt.Errorf("%w: one issuer has signed it twice", wire.ErrBadSignature)
	}
	var u wire.Undo
	err = wire.Decode(payload, &u)
	return u.Floor, err
}
