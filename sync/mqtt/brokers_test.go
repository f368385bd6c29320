package mqtt_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gatehouse/internal/freeport"
)

// broker is a real one with TLS, client certificates and an access list:
// "gate" may publish on up/gate/# and subscribe to down/gate/#, "desk" anything.
type broker struct {
	ca    *authority
	addr  string
	start func() // again at the same address
	stop  func() // as by kill -9, as far as the broker can do it

	willsOnTakeover bool // else a client that is thrown out by its own id leaves no will
}

// serverConfig makes the broker's certificate.
func serverConfig(t testing.TB, ca *authority, when days) (*tls.Config, tls.Certificate) {
	cert := ca.issue(t, "broker", when)
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: ca.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS13}, cert
}

// each runs a test against both brokers.
func each(t *testing.T, when days, test func(t *testing.T, b *broker)) {
	t.Run("mosquitto", func(t *testing.T) { test(t, mosquitto(t, when)) })
	t.Run("nats", func(t *testing.T) { test(t, natsServer(t, when)) })
}

// needs skips or fails a test whose part is missing on this machine.
func needs(t testing.TB, part string, found bool) {
	t.Helper()
	if found {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), part) {
		t.Fatalf("%s is required and missing", part)
	}
	t.Skipf("SKIP (needs %s): no foreign broker was tried", part)
}

func freePort(t testing.TB) string {
	t.Helper()
	var port [1]int
	release, err := freeport.Hold(port[:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return fmt.Sprintf("127.0.0.1:%d", port[0])
}

// listens waits until somebody listens at addr.
func listens(t testing.TB, addr string) {
	t.Helper()
	for end := time.Now().Add(waitLimit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
	}
	t.Fatalf("nobody listens at %s", addr)
}

// runMosquitto runs the broker with a configuration at addr.
func runMosquitto(t testing.TB, addr, config string) (start, stop func()) {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
		_, err = os.Stat(program)
	}
	needs(t, "mosquitto", err == nil)
	_, port, _ := net.SplitHostPort(addr)
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	config = "user root\nset_tcp_nodelay true\nlistener " + port + " 127.0.0.1\n" + config
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var cmd *exec.Cmd
	start = func() {
		cmd = exec.Command(program, "-c", file)
		if err := cmd.Start(); err != nil {
			needs(t, "mosquitto", false) // under an emulator a program starts no other
		}
		listens(t, addr)
	}
	stop = func() {
		if cmd != nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		cmd = nil
	}
	t.Cleanup(func() { stop() })
	start()
	return start, stop
}

// mosquittoTLS is the part of a configuration about certificates.
func mosquittoTLS(t testing.TB, ca *authority, when days) string {
	dir := t.TempDir()
	_, cert := serverConfig(t, ca, when)
	ca.files(t, dir, cert)
	return strings.ReplaceAll(`cafile DIR/ca.pem
certfile DIR/cert.pem
keyfile DIR/key.pem
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
`, "DIR", dir)
}

// mosquitto has its access list in the plugin, because only that refuses
// subscriptions.
func mosquitto(t testing.TB, when days) *broker {
	t.Helper()
	plugins, _ := filepath.Glob("/usr/lib/*/mosquitto_dynamic_security.so")
	needs(t, "mosquitto", len(plugins) > 0)
	type acl struct {
		Type     string `json:"acltype"`
		Topic    string `json:"topic"`
		Allow    bool   `json:"allow"`
		Priority int    `json:"priority"`
	}
	role := func(name, up, down string) map[string]any {
		return map[string]any{"rolename": name, "acls": []acl{{"publishClientSend", up, true, 0},
			{"publishClientReceive", down, true, 0}, {"subscribePattern", down, true, 0}}}
	}
	client := func(name string) map[string]any {
		return map[string]any{"username": name, "roles": []any{map[string]any{"rolename": name}}}
	}
	list, err := json.Marshal(map[string]any{
		"defaultACLAccess": map[string]bool{"publishClientSend": false, "publishClientReceive": false, "subscribe": false, "unsubscribe": true},
		"clients":          []any{client("gate"), client("desk")}, "groups": []any{},
		"roles": []any{role("gate", "up/gate/#", "down/gate/#"), role("desk", "#", "#")},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "access.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	b := &broker{ca: newAuthority(t, "test CA"), addr: freePort(t), willsOnTakeover: true}
	b.start, b.stop = runMosquitto(t, b.addr, mosquittoTLS(t, b.ca, when)+
		fmt.Sprintf("plugin %s\nplugin_opt_config_file %s\n", plugins[0], file))
	return b
}

// access is the list of the embedded server.
type access struct{}

func (access) Check(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	if state == nil || len(state.PeerCertificates) == 0 {
		return false
	}
	user := &server.User{Username: state.PeerCertificates[0].Subject.CommonName}
	switch user.Username {
	case "gate":
		user.Permissions = &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"up.gate.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"down.gate", "down.gate.>"}},
		}
	case "desk":
	default:
		return false
	}
	c.RegisterUser(user)
	return true
}

// natsServer is the server that the registry embeds.
func natsServer(t testing.TB, when days) *broker {
	t.Helper()
	b := &broker{ca: newAuthority(t, "test CA"), addr: freePort(t)}
	cfg, _ := serverConfig(t, b.ca, when)
	b.start, b.stop = runNATS(t, b.addr, func(o *server.Options) {
		o.MQTT.TLSConfig = cfg
		o.CustomClientAuthentication = access{}
	})
	return b
}

func runNATS(t testing.TB, addr string, change func(*server.Options)) (start, stop func()) {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	var s *server.Server
	dir := t.TempDir() // before the cleanup that stops the server: what it writes to is removed after
	start = func() {
		store, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		o := &server.Options{Host: host, Port: -1, ServerName: "test", JetStream: true, StoreDir: store, NoSigs: true, NoLog: true}
		o.MQTT.Host = host
		fmt.Sscan(port, &o.MQTT.Port)
		change(o)
		if s, err = server.NewServer(o); err != nil {
			t.Fatal(err)
		}
		s.Start()
		if !s.ReadyForConnections(waitLimit) {
			t.Fatal("nats-server does not start")
		}
		listens(t, addr)
	}
	stop = func() {
		if s != nil {
			s.Shutdown()
			s.WaitForShutdown()
		}
		s = nil
	}
	t.Cleanup(func() { stop() })
	start()
	return start, stop
}

type natsOptions = server.Options
