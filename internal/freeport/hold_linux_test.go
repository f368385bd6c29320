package freeport

import (
	"fmt"
	"net"
	"testing"
)

// TestHold: a server may listen on the port, again and again, on this address or
// on all; nobody does by chance.
func TestHold(t *testing.T) {
	var ports [2]int
	release, err := Hold(ports[:])
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	port := ports[1]
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "127.0.0.1"} {
		address := fmt.Sprintf("%s:%d", host, port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := net.Listen("tcp", address); err == nil {
			second.Close()
			t.Errorf("two servers listen on %s", address)
		}
		l.Close()
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			t.Error("somebody listens who was closed")
		}
	}
	for range 500 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if l.Addr().(*net.TCPAddr).Port == port {
			t.Fatal("the port is given away")
		}
	}
}
