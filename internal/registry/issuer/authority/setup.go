package authority

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// The three directories of a registry. Each should belong to another person, or at least another
// process.
const (
	DirFront   = "front"
	DirIssuer  = "issuer"
	DirOffline = "offline"
)

// Setup is the input of Init.
type Setup struct {
	Registry string   // id
	Hosts    []string // names and addresses of the front; tokens name the first
	Enrol    int      // port of HTTPS
	Broker   int      // port of MQTT over TLS
	Config   []byte   // the front's configuration file
	Now      time.Time
}

// Init makes the keys of a registry in three new directories below dir. It overwrites nothing;
// leftovers of an interrupted Init are made again.
func Init(dir string, s Setup) error {
	if err := s.check(); err != nil {
		return err
	}
	dirs := []string{DirFront, DirIssuer, DirOffline}
	if err := os.MkdirAll(dir, 0o755); err != nil { // the directories in it are private, each to another user
		return api.Hinted("run this as root, or name a --dir that is yours", "init registry: %v", err)
	}
	temp := make(map[string]string)
	for _, f := range dirs {
		if _, err := os.Lstat(filepath.Join(dir, f)); !errors.Is(err, fs.ErrNotExist) {
			return api.Hinted("name another --dir; keys are never overwritten", "init registry: %s is there already", filepath.Join(dir, f))
		}
		temp[f] = filepath.Join(dir, f+".new")
		if err := cmp.Or(os.RemoveAll(temp[f]), os.MkdirAll(temp[f], 0o700)); err != nil { // leftovers that nobody has used
			return fmt.Errorf("init registry: %w", err)
		}
	}
	if err := s.Make(temp[DirFront], temp[DirIssuer], temp[DirOffline]); err != nil {
		return err
	}
	for _, f := range dirs {
		if err := durable.Rename(temp[f], filepath.Join(dir, f)); err != nil {
			return fmt.Errorf("init registry: %w", err)
		}
	}
	return nil
}

func (s Setup) check() error {
	if !wire.ValidName(s.Registry, false) || len(s.Hosts) == 0 {
		return errors.New("init registry: an id [a-z0-9-]{1,32} and a host are needed")
	}
	return nil
}

// Make fills three empty directories with new keys that belong together, and with the trust
// document about them. They may be on different disks. If it fails, its output is to be thrown
// away.
func (s Setup) Make(front, issuer, offline string) error {
	err := s.check()
	if err == nil {
		err = s.fill(front, issuer, offline)
	}
	if err != nil {
		return fmt.Errorf("init registry: %w", err)
	}
	return nil
}

func (s Setup) fill(front, issuer, offline string) error {
	t := wire.Trust{Version: 1, Issued: uint32(s.Now.Unix()), Registry: s.Registry}
	root, err := newKey(filepath.Join(offline, FileRootKey))
	if err != nil {
		return err
	}
	for _, k := range []struct {
		path string
		role wire.Role
	}{{filepath.Join(issuer, FileIssuer), wire.RoleIssuer}, {filepath.Join(offline, FileSecond), wire.RoleIssuer},
		{filepath.Join(front, api.FileWitnessKey), wire.RoleWitness}} {
		key, err := newKey(k.path)
		if err != nil {
			return err
		}
		t.Keys = append(t.Keys, wire.RoleKey{Role: k.role, Epoch: 1, Public: [32]byte(key.Public().(ed25519.PublicKey))})
	}
	for path, public := range map[string]*[]byte{filepath.Join(offline, FileRecords): &t.Records,
		filepath.Join(offline, FileEscrow): &t.Escrow, filepath.Join(issuer, FileDesk): &t.Desk} {
		if *public, err = newSealKey(path); err != nil {
			return err
		}
	}
	if t.CAs, err = s.certificates(front, issuer); err != nil {
		return err
	}
	envelope, err := SignTrust(t, root)
	if err != nil {
		return err
	}
	return s.documents(front, issuer, offline, envelope, root.Public().(ed25519.PublicKey))
}

// documents writes the public files.
func (s Setup) documents(front, issuer, offline string, trust []byte, root ed25519.PublicKey) error {
	for _, dir := range []string{front, issuer, offline} {
		if err := cmp.Or(durable.WriteFile(filepath.Join(dir, api.FileTrust), trust, 0o600),
			keys.SaveIssuer(filepath.Join(dir, api.FileRoot), wire.Key{Public: root})); err != nil {
			return err
		}
	}
	place, err := json.MarshalIndent(Place{s.Registry, hostPort(s.Hosts[0], s.Enrol), hostPort(s.Hosts[0], s.Broker)}, "", "  ")
	if err != nil {
		return err
	}
	return cmp.Or(durable.WriteFile(filepath.Join(issuer, FilePlace), append(place, '\n'), 0o600),
		durable.WriteFile(filepath.Join(front, api.FileConfig), s.Config, 0o600))
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, fmt.Sprint(port)) }

func (s Setup) certificates(front, issuer string) (cas [][]byte, err error) {
	made, err := makeCA(s.Registry, s.Now)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make server key: %w", err)
	}
	server, err := made.server(key.Public(), s.Hosts, s.Now)
	if err != nil {
		return nil, err
	}
	return [][]byte{made.cert.Raw}, cmp.Or(
		saveECDSA(filepath.Join(issuer, FileCAKey), made.key),
		saveECDSA(filepath.Join(front, api.FileServerKey), key),
		writePEM(filepath.Join(front, api.FileCA), certificateBlock, 0o644, made.cert.Raw),
		writePEM(filepath.Join(issuer, api.FileCA), certificateBlock, 0o644, made.cert.Raw),
		writePEM(filepath.Join(front, api.FileServerCert), certificateBlock, 0o644, server.Raw, made.cert.Raw))
}

// RenewServer gives the front a new certificate for its key, for the hosts of the old one, or for
// others.
func RenewServer(issuer, front string, hosts []string, now time.Time) (until time.Time, err error) {
	if err := areDirectories(issuer, front); err != nil {
		return until, err
	}
	path := filepath.Join(front, api.FileServerCert)
	own, err := loadCA(issuer)
	var key *ecdsa.PrivateKey
	if err == nil {
		key, err = loadECDSA(filepath.Join(front, api.FileServerKey))
	}
	if err == nil && len(hosts) == 0 {
		hosts, err = hostsOf(path)
	}
	if err != nil {
		return until, fmt.Errorf("renew server certificate: %w", err)
	}
	made, err := own.server(key.Public(), hosts, now)
	if err != nil {
		return until, err
	}
	return own.within(now.AddDate(serverYears, 0, 0)), writePEM(path, certificateBlock, 0o644, made.Raw, own.cert.Raw)
}

func hostsOf(path string) (hosts []string, err error) {
	cert, err := loadCertificate(path)
	if err != nil {
		return nil, err
	}
	hosts = append(hosts, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("%s: it names no host", path)
	}
	return hosts, nil
}
