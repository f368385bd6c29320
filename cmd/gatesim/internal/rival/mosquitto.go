// Package rival is what many would build instead of a journal and an uplink: events by QoS 1 into Mosquitto.
package rival

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/control"
	"gatehouse/internal/freeport"
)

// Mosquitto is what many would build instead: events by QoS 1 into a Mosquitto
// on the gateway, which a bridge hands to the one at the centre. Both are set up
// as Debian does it, with persistence.
type Mosquitto struct {
	program string
	dir     string
	brokers map[string]*exec.Cmd
	ports   map[string]int
	arrived atomic.Int64 // different events at the centre
	probes  sync.Map     // by which connection of the door a probe of the bridge reached the centre
}

// MosquittoPrograms: Debian keeps it where only root's PATH leads.
var MosquittoPrograms = []string{"mosquitto", "/usr/sbin/mosquitto"}

// New finds Mosquitto on this machine. Nothing runs yet.
func New(dir string) (*Mosquitto, error) {
	m := &Mosquitto{dir: filepath.Join(dir, "mosquitto"), brokers: map[string]*exec.Cmd{}, ports: map[string]int{}}
	for _, name := range MosquittoPrograms {
		if path, err := exec.LookPath(name); err == nil {
			m.program = path
			break
		}
	}
	if m.program == "" {
		return nil, &control.Error{Message: "no mosquitto on this machine to compare with", Hint: "apt-get install mosquitto, or leave --against out"}
	}
	for _, name := range []string{atCentre, atEdge} {
		if err := os.MkdirAll(filepath.Join(m.dir, name), 0o777); err != nil {
			return nil, fmt.Errorf("directory of mosquitto: %w", err)
		}
	}
	var ports [2]int
	_, err := freeport.Hold(ports[:]) // until this program ends
	m.ports[atCentre], m.ports[atEdge] = ports[0], ports[1]
	return m, err
}

// The two brokers.
const (
	atCentre = "centre"
	atEdge   = "edge"
)

// mosquittoConf is Debian's, with a port and a directory of its own, and the
// bridge as its manual page shows one.
const mosquittoConf = `listener %d 127.0.0.1
allow_anonymous true
persistence true
persistence_location %s/
`

const bridgeConf = `connection centre
address 127.0.0.1:%d
topic # out 1
cleansession false
`

// start starts a broker and waits until it answers.
func (m *Mosquitto) start(ctx context.Context, name string) error {
	dir := filepath.Join(m.dir, name)
	conf := fmt.Sprintf(mosquittoConf, m.ports[name], dir)
	if name == atEdge {
		conf += fmt.Sprintf(bridgeConf, m.ports[atCentre])
	}
	file := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	cmd := exec.Command(m.program, "-c", file)
	if os.Getuid() == 0 { // it would become the user mosquitto, who may not write here
		if err := os.WriteFile(file, []byte(conf+"user root\n"), 0o600); err != nil {
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start mosquitto: %w", err)
	}
	m.brokers[name] = cmd
	for end := time.Now().Add(process.Timeout); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", m.address(name))
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return errors.Join(fmt.Errorf("mosquitto does not answer: %w", err), ctx.Err())
		}
	}
}

func (m *Mosquitto) address(name string) string { return fmt.Sprintf("127.0.0.1:%d", m.ports[name]) }

// kill is kill -9, as a power cut is.
func (m *Mosquitto) kill(name string) { m.signal(name, syscall.SIGKILL) }

// stop ends a broker in order: it keeps what it has to keep.
func (m *Mosquitto) stop(name string) { m.signal(name, syscall.SIGTERM) }

func (m *Mosquitto) signal(name string, s syscall.Signal) {
	if cmd := m.brokers[name]; cmd != nil {
		_ = cmd.Process.Signal(s)
		_ = cmd.Wait()
		delete(m.brokers, name)
	}
}

func (m *Mosquitto) end() {
	m.kill(atEdge)
	m.kill(atCentre)
}

// subscribe counts the events that reach the centre, each once. Its session is
// kept by the centre while it is away.
func (m *Mosquitto) subscribe() (mqtt.Client, error) {
	o := mqtt.NewClientOptions().AddBroker("tcp://" + m.address(atCentre)).SetClientID("register").SetCleanSession(false).SetAutoReconnect(false)
	seen := map[string]bool{}
	o.SetDefaultPublishHandler(func(_ mqtt.Client, msg mqtt.Message) { // called by one goroutine
		event := string(msg.Payload())
		switch {
		case strings.HasPrefix(event, probe):
			m.probes.Store(strings.TrimPrefix(event, probe), true)
		case !seen[event]:
			seen[event] = true
			m.arrived.Add(1)
		}
	})
	c := mqtt.NewClient(o)
	return c, errors.Join(waited(c.Connect()), waited(c.Subscribe("#", 1, nil)))
}

// probe begins an event that asks whether the bridge works; it is not counted.
const probe = "probe of "

// publish sends one event by QoS 1 and returns when the broker has acknowledged it.
func publish(c mqtt.Client, event string) error {
	return waited(c.Publish("building/entries", 1, false, event))
}

func waited(t mqtt.Token) error {
	if !t.WaitTimeout(process.Timeout) {
		return errors.New("mosquitto did not answer")
	}
	return t.Error()
}

// Outage plays what the building has just been through: the centre is down,
// events go on, then the gateway loses its power too; both come back. It returns
// how many of the events, all of them acknowledged, arrived.
func (m *Mosquitto) Outage(ctx context.Context, events int, powerCut bool) (arrived int, err error) {
	defer m.end()
	for _, name := range []string{atCentre, atEdge} {
		if err := m.start(ctx, name); err != nil {
			return 0, err
		}
	}
	register, err := m.subscribe()
	if err != nil {
		return 0, fmt.Errorf("subscribe at the centre: %w", err)
	}
	door, err := m.bridged(ctx, "door")
	if err != nil {
		return 0, err
	}
	register.Disconnect(100)
	m.stop(atCentre) // with the session of the register, or what the bridge brings before it is back would be nobody's
	for i := range events {
		if err := publish(door, fmt.Sprint("entry ", i)); err != nil {
			return 0, fmt.Errorf("event %d: %w", i, err)
		}
	}
	back := []string{atCentre}
	if powerCut {
		m.kill(atEdge)
		back = append(back, atEdge)
	}
	for _, name := range back {
		if err := m.start(ctx, name); err != nil {
			return 0, err
		}
	}
	if register, err = m.subscribe(); err != nil {
		return 0, fmt.Errorf("subscribe at the centre: %w", err)
	}
	defer register.Disconnect(0)
	door, err = m.bridged(ctx, "door afterwards")
	if err != nil {
		return 0, err
	}
	door.Disconnect(0)
	return int(m.arrived.Load()), nil
}

// bridged connects to the broker of the gateway, by a new name, and returns when
// an event of this connection has come over the bridge: what the bridge still had
// has come before.
func (m *Mosquitto) bridged(ctx context.Context, name string) (mqtt.Client, error) {
	door := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + m.address(atEdge)).SetClientID(name).SetAutoReconnect(false))
	if err := waited(door.Connect()); err != nil {
		return nil, fmt.Errorf("connect to mosquitto: %w", err)
	}
	for end := time.Now().Add(4 * process.Timeout); ; time.Sleep(100 * time.Millisecond) {
		if _, here := m.probes.Load(name); here {
			return door, nil
		}
		if ctx.Err() != nil || time.Now().After(end) {
			door.Disconnect(0)
			return nil, errors.Join(errors.New("mosquitto's bridge does not connect"), ctx.Err())
		}
		if err := publish(door, probe+name); err != nil {
			return nil, err
		}
	}
}
