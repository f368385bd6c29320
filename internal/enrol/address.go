package enrol

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// AddressFile, in the directory of keys, has the addresses that were added on site, one a line.
const AddressFile = "addresses"

// maxAdded bounds the added addresses.
const maxAdded = 16

// Schemes of addresses.
const (
	schemeEnrol  = "https://"
	schemeBroker = "mqtts://"
)

// Addresses are the possible addresses of a registry, in order of preference: those in its trust
// document, those added on site, those in the token. The last ones stay for ever, so that a
// registry that comes back to them is found.
type Addresses struct {
	Enrol  []string `json:"enrol"`  // host:port of its HTTPS
	Broker []string `json:"broker"` // mqtts://host:port
	Added  []string `json:"added"`  // of these, on site
}

// LoadAddresses reads the addresses from a directory of keys.
func LoadAddresses(dir string) (Addresses, error) {
	r, err := registryOf(dir)
	if err != nil {
		return Addresses{}, err
	}
	a := Addresses{}
	if a.Added, err = added(dir); err != nil {
		return a, err
	}
	for _, address := range slices.Concat(r.Trust.Addresses, a.Added, []string{schemeEnrol + r.Enrol, schemeBroker + r.Broker}) {
		if host, ok := strings.CutPrefix(address, schemeEnrol); ok && !slices.Contains(a.Enrol, host) {
			a.Enrol = append(a.Enrol, host)
		}
		if strings.HasPrefix(address, schemeBroker) && !slices.Contains(a.Broker, address) {
			a.Broker = append(a.Broker, address)
		}
	}
	return a, nil
}

func added(dir string) (list []string, err error) {
	b, err := os.ReadFile(filepath.Join(dir, AddressFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("addresses of the registry: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); wire.ValidRegistryURL(line) { // a bad line does not hide the others
			list = append(list, line)
		}
	}
	return list, nil
}

// AddAddress adds an address of the registry: https://host:port of its enrolment or
// mqtts://host:port of its broker. A running daemon uses it from its next attempt on. Nobody is
// trusted for being there: the registry's CA decides.
func AddAddress(dir, address string) error {
	if !wire.ValidRegistryURL(address) {
		return hinted("https://registry.example.org:8443 for enrolment, mqtts://registry.example.org:8883 for the broker",
			"%q is no address of a registry", address)
	}
	a, err := LoadAddresses(dir)
	switch {
	case err != nil:
		return err
	case slices.Contains(a.Added, address):
		return nil
	case len(a.Added) >= maxAdded:
		return hinted("take one out with gatehouse address remove", "%d addresses were added already", len(a.Added))
	}
	return saveAdded(dir, append(a.Added, address))
}

// RemoveAddress removes an address of AddAddress.
func RemoveAddress(dir, address string) error {
	a, err := LoadAddresses(dir)
	if err != nil {
		return err
	}
	i := slices.Index(a.Added, address)
	if i < 0 {
		return hinted("gatehouse address list shows those that were; the token's and the trust document's stay", "%q was not added here", address)
	}
	return saveAdded(dir, slices.Delete(a.Added, i, i+1))
}

func saveAdded(dir string, list []string) error {
	text := ""
	for _, address := range list {
		text += address + "\n"
	}
	if err := durable.WriteFile(filepath.Join(dir, AddressFile), []byte(text), 0o600); err != nil {
		return fmt.Errorf("addresses of the registry: %w", err)
	}
	return nil
}
