package mqtt

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn stands between the socket and the client library. It gives every write a deadline, checks
// the frame of every incoming packet, and keeps the first error, which the library would swallow.
type conn struct {
	net.Conn          // the stream: TLS, or the socket itself
	raw      net.Conn // the socket
	in       *bufio.Reader
	frames   framer
	release  func() bool // ends the time limit of connecting; false if it has expired

	writing sync.Mutex // a deadline belongs to one write
	timeout atomic.Int64

	mu    sync.Mutex
	cause error
}

func newConn(stream, raw net.Conn, timeout time.Duration, subscriptions int) *conn {
	c := &conn{Conn: stream, raw: raw, in: bufio.NewReader(stream), frames: framer{subscriptions: subscriptions}}
	c.timeout.Store(int64(timeout))
	return c
}

// Read passes on only packets that the library survives.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	if err == nil {
		err = c.frames.scan(b[:n])
	}
	if err != nil {
		c.fail(err)
		return 0, c.why(err)
	}
	return n, nil
}

// Write ends the connection unless all of b goes out in time: half a packet can't be taken back,
// and a peer that does not read is of no use.
func (c *conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.raw.SetWriteDeadline(time.Now().Add(time.Duration(c.timeout.Load())))
	n, err := c.Conn.Write(b)
	if err != nil {
		c.fail(c.lastWords(fmt.Errorf("write: %w", err)))
		return n, c.why(err)
	}
	c.raw.SetWriteDeadline(time.Time{}) // TLS writes by itself too, when keys change
	return n, nil
}

// lastWords returns the broker's alert from before it closed the connection, or err. In TLS 1.3 the
// broker judges our certificate after our handshake is over: our first write may find the
// connection reset while the reason still waits to be read.
func (c *conn) lastWords(err error) error {
	if c.frames.connected {
		return err // somebody else reads
	}
	c.raw.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, last := c.Conn.Read(make([]byte, 1)); isAlert(last) {
		return last
	}
	return err
}

// hurry sets the deadline d for the write under way and for each later one.
func (c *conn) hurry(d time.Duration) {
	c.timeout.Store(int64(d))
	c.raw.SetWriteDeadline(time.Now().Add(d))
}

// fail ends the connection because of err, unless it has ended already.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.cause == nil && !errors.Is(err, net.ErrClosed) {
		c.cause = err
	}
	c.mu.Unlock()
	c.Close()
}

// why returns the error that ended the connection, or err if none is known.
func (c *conn) why(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return err
}

// Close closes the socket at once. TLS's close_notify could block, and MQTT has its own DISCONNECT.
func (c *conn) Close() error { return c.raw.Close() }

// Packet types that a broker sends, and the highest code of a CONNACK.
const (
	typeConnack  = 2
	typePublish  = 3
	typeSuback   = 9
	typePingresp = 13
	lastConnack  = 5
)

// maxPublish is the longest PUBLISH that we take, without its fixed header.
const maxPublish = 2 + maxTopic + MaxPayload

// framer follows the packets of a stream and stops it at the first one that is unexpected or too
// long, before memory is allocated for it.
type framer struct {
	subscriptions int // filters in our one SUBSCRIBE

	connected bool // CONNACK was received
	head      byte // first byte of the packet
	digits    int  // bytes of its length that were received, and head: 0 to 5
	length    int
	left      int // bytes of its body to come
}

func (f *framer) scan(b []byte) error {
	for len(b) > 0 {
		if f.left == 0 {
			if err := f.header(b[0]); err != nil {
				return err
			}
			b = b[1:]
			continue
		}
		n := min(f.left, len(b))
		f.left -= n
		if f.left == 0 && f.head>>4 == typeConnack && b[n-1] > lastConnack {
			return fmt.Errorf("broken packet: connection answered with code %d", b[n-1])
		}
		b = b[n:]
	}
	return nil
}

func (f *framer) header(c byte) error {
	if f.digits == 0 {
		f.head, f.digits, f.length = c, 1, 0
		return nil
	}
	f.length |= int(c&0x7f) << (7 * (f.digits - 1))
	f.digits++
	if c&0x80 != 0 {
		if f.digits == 5 {
			return errors.New("broken packet: length of more than four bytes")
		}
		return nil
	}
	f.digits, f.left = 0, f.length
	return f.check()
}

// isWhole reports whether flags and length are those of a packet that a broker sends to a connected
// client.
func (f *framer) isWhole(kind byte) bool {
	switch kind {
	case typePublish:
		return f.head&0x6 == 0 && f.length >= 2
	case typeSuback:
		return f.head&0xf == 0 && f.length == 2+f.subscriptions
	case typePingresp:
		return f.head&0xf == 0 && f.length == 0
	}
	return false
}

// check judges a packet by its fixed header.
func (f *framer) check() error {
	kind := f.head >> 4
	switch {
	case kind == typeConnack && !f.connected && f.head&0xf == 0 && f.length == 2:
		f.connected = true
		return nil
	case !f.connected:
	case kind == typePublish && f.length > maxPublish:
		return fmt.Errorf("message of %d bytes, at most %d", f.length, maxPublish)
	case f.isWhole(kind):
		return nil
	}
	return fmt.Errorf("broken packet: type %d, flags %#x, %d bytes", kind, f.head&0xf, f.length)
}
