package authority

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
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

// The three directories of a registry. Different people, or at least different
// processes, should have each.
const (
	DirFront   = "front"
	DirIssuer  = "issuer"
	DirOffline = "offline"
)

// Setup is what Init makes a registry of.
type Setup struct {
	Registry string   // id
	Hosts    []string // names and addresses of the front; tokens name the first
	Enrol    int      // port of HTTPS
	Broker   int      // port of MQTT over TLS
	Config   []byte   // the front's configuration file
	Now      time.Time
}

// Init makes the keys of a registry in three new directories below dir. It
// overwrites nothing; what an interrupted Init left is made anew.
func Init(dir string, s Setup) error {
	if !wire.ValidName(s.Registry, false) || len(s.Hosts) == 0 {
		return errors.New("init registry: an id [a-z0-9-]{1,32} and a host are needed")
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
		if err := os.RemoveAll(temp[f]); err != nil { // nobody has used it
			return fmt.Errorf("init registry: %w", err)
		}
		if err := os.MkdirAll(temp[f], 0o700); err != nil {
			return fmt.Errorf("init registry: %w", err)
		}
	}
	if err := s.fill(temp[DirFront], temp[DirIssuer], temp[DirOffline]); err != nil {
		return fmt.Errorf("init registry: %w", err)
	}
	for _, f := range dirs {
		if err := durable.Rename(temp[f], filepath.Join(dir, f)); err != nil {
			return fmt.Errorf("init registry: %w", err)
		}
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
	ca, err := s.certificates(front, issuer)
	if err != nil {
		return err
	}
	t.CAs = [][]byte{ca}
	envelope, err := signOneTrust(t, root)
	if err != nil {
		return err
	}
	return s.documents(front, issuer, offline, envelope, root.Public().(ed25519.PublicKey))
}

// documents writes what is no secret.
func (s Setup) documents(front, issuer, offline string, trust []byte, root ed25519.PublicKey) error {
	for _, dir := range []string{front, issuer, offline} {
		if err := durable.WriteFile(filepath.Join(dir, api.FileTrust), trust, 0o600); err != nil {
			return err
		}
		if err := keys.SaveIssuer(filepath.Join(dir, api.FileRoot), wire.Key{Public: root}); err != nil {
			return err
		}
	}
	place, err := json.MarshalIndent(Place{s.Registry, hostPort(s.Hosts[0], s.Enrol), hostPort(s.Hosts[0], s.Broker)}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(issuer, FilePlace), append(place, '\n'), 0o600); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(front, api.FileConfig), s.Config, 0o600)
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, fmt.Sprint(port)) }

// certificates makes the CA and the front's certificate.
func (s Setup) certificates(front, issuer string) (ca []byte, err error) {
	cert, key, err := makeCA(s.Registry, s.Now)
	if err != nil {
		return nil, err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make server key: %w", err)
	}
	server, err := serverCertificate(cert, key, serverKey.Public(), s.Hosts, s.Now)
	if err != nil {
		return nil, err
	}
	for path, k := range map[string]*ecdsa.PrivateKey{filepath.Join(issuer, FileCAKey): key, filepath.Join(front, api.FileServerKey): serverKey} {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			return nil, err
		}
		if err := writePEM(path, privateBlock, 0o600, der); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{front, issuer} {
		if err := writePEM(filepath.Join(dir, api.FileCA), certificateBlock, 0o644, cert.Raw); err != nil {
			return nil, err
		}
	}
	return cert.Raw, writePEM(filepath.Join(front, api.FileServerCert), certificateBlock, 0o644, server, cert.Raw)
}

// RenewServer gives the front a new certificate for its key, for the hosts of
// the one before, or for others.
func RenewServer(issuer, front string, hosts []string, now time.Time) (until time.Time, err error) {
	if err := areDirectories(issuer, front); err != nil {
		return until, err
	}
	ca, caKey, err := loadCA(issuer)
	if err != nil {
		return until, fmt.Errorf("renew server certificate: %w", err)
	}
	key, err := loadECDSA(filepath.Join(front, api.FileServerKey))
	if err != nil {
		return until, fmt.Errorf("renew server certificate: %w", err)
	}
	path := filepath.Join(front, api.FileServerCert)
	if len(hosts) == 0 {
		if hosts, err = hostsOf(path); err != nil {
			return until, fmt.Errorf("renew server certificate: %w", err)
		}
	}
	der, err := serverCertificate(ca, caKey, key.Public(), hosts, now)
	if err != nil {
		return until, err
	}
	return within(ca, now.AddDate(serverYears, 0, 0)), writePEM(path, certificateBlock, 0o644, der, ca.Raw)
}

func hostsOf(path string) (hosts []string, err error) {
	der, err := readPEM(path, certificateBlock)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
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
