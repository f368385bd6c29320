// Package certificate has a TLS certificate that is loaded again when its files change.
package certificate

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"

	"github.com/rs/zerolog"
)

// Certificate is a key and its certificate, loaded again when one of the files changes. It is safe
// for concurrent use.
type Certificate struct {
	files [2]string // certificate, key
	log   *zerolog.Logger

	mu    sync.Mutex
	found [2]os.FileInfo // of the last load, successful or not
	pair  *tls.Certificate
}

// Load loads two PEM files. It logs to log when they are loaded again, or can't be.
func Load(cert, key string, log *zerolog.Logger) (*Certificate, error) {
	c := &Certificate{files: [2]string{cert, key}, log: log}
	found, err := c.stat()
	if err == nil {
		err = c.read(found)
	}
	if err != nil {
		return nil, fmt.Errorf("load server certificate: %w", err)
	}
	return c, nil
}

func (c *Certificate) stat() (found [2]os.FileInfo, err error) {
	for i, path := range c.files {
		if found[i], err = os.Stat(path); err != nil {
			return found, err
		}
	}
	return found, nil
}

// read loads the files. c.mu is held, or nobody else has c yet.
func (c *Certificate) read(found [2]os.FileInfo) error {
	c.found = found
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return err
	}
	c.pair = &pair
	return nil
}

// Get returns the certificate in the files, or the previous one if they are unusable. It is
// tls.Config.GetCertificate.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, err := c.stat()
	if err == nil && !same(found, c.found) {
		if err = c.read(found); err == nil {
			c.log.Info().Str("file", c.files[0]).Time("until", c.pair.Leaf.NotAfter).Msg("a new certificate is in use")
		}
	}
	if err != nil {
		c.log.Error().Err(err).Str("file", c.files[0]).Msg("the certificate can't be read again; the one before is in use")
	}
	return c.pair, nil
}

func same(a, b [2]os.FileInfo) bool {
	for i := range a {
		if !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}
