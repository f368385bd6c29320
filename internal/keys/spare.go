package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
)

// SpareFile is a second copy of the key files without which no card opens, or it is unknown whose
// lists count: an SD card wears, and one bit of them shuts every door. It is made when all of them
// are good. Files that come again from the registry (trust, house, certificates) are not in it.
const SpareFile = "spare.json"

// spared are the files in the copy. None of them changes after an enrolment.
var spared = []string{BuildingKeyFile, IssuerFile, GatewayKeyFile, SealKeyFile, RootFile, RegistryFile}

type spare struct {
	Files map[string][]byte `json:"files"`
	Sum   []byte            `json:"sum"` // SHA-256 over Files as JSON
}

func (s spare) sum() []byte {
	b, _ := json.Marshal(s.Files) // sorted by name; it can't fail
	sum := sha256.Sum256(b)
	return sum[:]
}

// readSpare returns no files where there is no good copy.
func readSpare(dir string) map[string][]byte {
	var s spare
	b, err := os.ReadFile(filepath.Join(dir, SpareFile))
	if err != nil || json.Unmarshal(b, &s) != nil || !bytes.Equal(s.Sum, s.sum()) {
		return nil
	}
	return s.Files
}

// Keep makes the second copy of the key files of a directory. Call it after LoadKeys has found no
// fault in them.
func Keep(dir string) error {
	s := spare{Files: map[string][]byte{}}
	for _, name := range spared {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			s.Files[name] = b
		}
	}
	if maps.EqualFunc(s.Files, readSpare(dir), bytes.Equal) {
		return nil
	}
	s.Sum = s.sum()
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keep the key files: %w", err)
	}
	return durable.WriteFile(filepath.Join(dir, SpareFile), b, 0o600)
}

// Mend repairs damaged key files of which there is a good copy, and returns their names. The
// damaged content stays beside the file under a name that ends in .bad-N. A missing file stays
// away, and one with another key was put there by somebody.
func Mend(dir string) (mended []string, err error) {
	for name, good := range readSpare(dir) {
		path := filepath.Join(dir, name)
		raw, err := os.ReadFile(path)
		if err != nil || bytes.Equal(raw, good) || !damaged(dir, name, raw, good) {
			continue
		}
		if err := durable.KeepAside(path, raw); err != nil {
			return mended, err
		}
		if err := durable.WriteFile(path, good, 0o600); err != nil {
			return mended, err
		}
		mended = append(mended, name)
	}
	return mended, nil
}

// fewBits is the most bits in which a key that an SD card garbled differs; two keys differ in a
// hundred.
const fewBits = 16

// damaged reports whether a file is a damaged version of the copy.
func damaged(dir, name string, raw, good []byte) bool {
	if name == RegistryFile { // a person may edit it
		return !fits(dir, raw) && fits(dir, good)
	}
	if len(raw) != len(good) {
		return !isWholeBlock(raw)
	}
	differ := 0
	for i := range raw {
		differ += bits.OnesCount8(raw[i] ^ good[i])
	}
	return differ <= fewBits || !isWholeBlock(raw)
}

// fits reports whether the documents of root and issuer are for the place in a RegistryFile or,
// where one of them is not good, whether it names a place at all.
func fits(dir string, raw []byte) bool {
	r, err := parsePlace(raw)
	if err != nil {
		return false
	}
	root, failed := LoadRoot(filepath.Join(dir, RootFile))
	trust, none := os.ReadFile(filepath.Join(dir, TrustFile))
	if failed != nil || none != nil {
		return true
	}
	if r.Trust, err = OpenTrust(trust, root, r.Name); err != nil {
		return false
	}
	house, none := os.ReadFile(filepath.Join(dir, HouseFile))
	if none != nil {
		return true
	}
	r.House, err = OpenHouse(house, r.Trust, r.Place.Building)
	return err == nil && r.House.District == r.Place.District && r.House.Town == r.Place.Town && !r.Strange(r.Place.Gateway)
}
