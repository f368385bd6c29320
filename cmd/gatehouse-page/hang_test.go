package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestHungDaemon: nobody's tap on the page opens a door later, when a daemon that hung wakes up.
func TestHungDaemon(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	wakes := make(chan struct{})
	daemon := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.Path)
		mu.Unlock()
		<-wakes
	}))
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "d"))
	if err != nil {
		t.Fatal(err)
	}
	daemon.Listener.Close()
	daemon.Listener = l
	daemon.Start()
	defer daemon.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := daemonAt(l.Addr().String()).Release(ctx, "front"); err == nil {
		t.Error("a daemon that hangs has released a door")
	}
	close(wakes)
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(asked, []string{"GET /v1/status"}) {
		t.Errorf("it was asked %q", asked)
	}
}
