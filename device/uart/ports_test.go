package uart_test

import (
	"sync"
	"testing"

	"gatehouse/device/uart"
)

// TestPortsAtOnce: bus and readers open their paths from many goroutines, each its own.
func TestPortsAtOnce(t *testing.T) {
	var ports uart.Ports
	var all sync.WaitGroup
	for range 3 {
		c := newDeaf(t).config()
		all.Go(func() {
			for range 100 {
				p, err := ports.Open(c)
				if err != nil {
					t.Error(err)
					return
				}
				_ = p.Close()
			}
		})
	}
	all.Wait()
}
