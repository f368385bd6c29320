package front

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/certificate"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/retention"
	"gatehouse/internal/registry/front/witness"
	"gatehouse/internal/strict"
	"gatehouse/sync/wire/periods"

	"github.com/rs/zerolog"
)

// Embedded is the value of Broker for a front with its own broker.
const Embedded = "embedded"

// Config is the front's configuration file; docs/registry.md describes every key.
type Config struct {
	State          string `toml:"state"`            // directory of keys and database
	Socket         string `toml:"socket"`           // default: front.sock in State
	Broker         string `toml:"broker"`           // Embedded, or mqtts://host:port
	MQTTListen     string `toml:"mqtt_listen"`      // of the embedded broker; default :8883
	EnrolListen    string `toml:"enrol_listen"`     // default :8443
	EnrolPerMinute int    `toml:"enrol_per_minute"` // requests from one address; default 20
	GatewayPerDay  int    `toml:"gateway_per_day"`  // MiB of new entries from one gateway; default 256
	MaxMB          int64  `toml:"max_mb"`           // of the database, from which on the operator is told; default: what the disk has
	WhoDays        int    `toml:"who_days"`         // for how long it is kept who passed; default 180
	AdminDays      int    `toml:"admin_days"`       // and who did what else; default 200
	// Witness are the logs of others whose checkpoints the front cosigns; none: it cosigns only gateways'.
	Witness          []witness.Log `toml:"witness"`
	WitnessPerMinute int           `toml:"witness_per_minute"` // requests from one address; default 60
	// BrokerCertificate, BrokerKey and BrokerCA are the client certificate for another broker, and
	// that broker's CA; defaults: those of the front.
	BrokerCertificate string `toml:"broker_certificate"`
	BrokerKey         string `toml:"broker_key"`
	BrokerCA          string `toml:"broker_ca"`
}

// LoadConfig reads a configuration file strictly.
func LoadConfig(path string) (Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	var c Config
	if err := strict.Read(raw, &c, nil); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	c.defaults(filepath.Dir(path))
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return c, nil
}

func (c *Config) defaults(dir string) {
	set := func(v *string, def string) { *v = cmp.Or(*v, def) }
	set(&c.State, dir)
	set(&c.Socket, filepath.Join(c.State, api.FileSocket))
	set(&c.Broker, Embedded)
	set(&c.MQTTListen, ":8883")
	set(&c.EnrolListen, ":8443")
	set(&c.BrokerCertificate, c.path(api.FileServerCert))
	set(&c.BrokerKey, c.path(api.FileServerKey))
	set(&c.BrokerCA, c.path(api.FileCA))
	c.EnrolPerMinute = cmp.Or(c.EnrolPerMinute, 20)
	c.GatewayPerDay = cmp.Or(c.GatewayPerDay, 256)
	c.WhoDays, c.AdminDays = cmp.Or(c.WhoDays, 180), cmp.Or(c.AdminDays, 200)
	c.WitnessPerMinute = cmp.Or(c.WitnessPerMinute, 60)
}

func (c Config) check() error {
	var f strict.Faults
	if c.Broker != Embedded && !isBroker(c.Broker) {
		f.Add("broker %q: want %q or mqtts://host:port", c.Broker, Embedded)
	}
	for key, listen := range map[string]string{"mqtt_listen": c.MQTTListen, "enrol_listen": c.EnrolListen} {
		if _, _, err := net.SplitHostPort(listen); err != nil {
			f.Add("%s %q: want host:port or :port", key, listen)
		}
	}
	for key, n := range map[string]int{"enrol_per_minute": c.EnrolPerMinute, "witness_per_minute": c.WitnessPerMinute} {
		if n < 1 {
			f.Add("%s %d: want at least 1", key, n)
		}
	}
	if err := witness.Check(c.Witness); err != nil {
		f.Add("%w", err)
	}
	if c.MaxMB < 0 || c.MaxMB > 1<<30 {
		f.Add("max_mb %d: want 1 to 1073741824, or none for what the disk has", c.MaxMB)
	}
	if c.GatewayPerDay < 1 || c.GatewayPerDay > 1<<20 {
		f.Add("gateway_per_day %d: want 1 to 1048576", c.GatewayPerDay)
	}
	for key, days := range map[string]int{"who_days": c.WhoDays, "admin_days": c.AdminDays} {
		if days < 1 || days > 3650 {
			f.Add("%s %d: want 1 to 3650", key, days)
		}
	}
	return f.Join()
}

func isBroker(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "mqtts" || u.Scheme == "mqtt")
}

// periods are for how long who parts stay: as set here, or by a policy where that says less; nil: there is none.
func (c Config) periods(policy *periods.Periods) retention.Periods {
	p := policy.Least(periods.Periods{Passages: uint16(c.WhoDays), Acts: uint16(c.AdminDays)})
	return retention.Periods{Passages: periods.Days(p.Passages), Acts: periods.Days(p.Acts)}
}

// path returns a path in the state directory.
func (c Config) path(name string) string { return filepath.Join(c.State, name) }

// ownKeys are the keys of a front.
type ownKeys struct {
	root    ed25519.PublicKey
	trust   []byte // envelope of the document in the directory of keys
	witness ed25519.PrivateKey
	marks   document.Marks
	server  *certificate.Certificate
}

func (k ownKeys) witnessPublic() ed25519.PublicKey { return k.witness.Public().(ed25519.PublicKey) }

func loadKeys(c Config, log *zerolog.Logger) (k ownKeys, err error) {
	if k.trust, err = os.ReadFile(c.path(api.FileTrust)); err != nil {
		return k, fmt.Errorf("load trust document: %w", err)
	}
	if k.root, err = keys.LoadRoot(c.path(api.FileRoot)); err != nil {
		return k, err
	}
	if k.witness, err = keys.LoadPrivateKey(c.path(api.FileWitnessKey)); err != nil {
		return k, err
	}
	if k.marks, err = document.NewMarks(k.witness); err != nil {
		return k, err
	}
	k.server, err = certificate.Load(c.path(api.FileServerCert), c.path(api.FileServerKey), log)
	return k, err
}
