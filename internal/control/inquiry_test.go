package control_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/network"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// answering is the path of a daemon's socket that answers mandates so.
func answering(t *testing.T, answer func() control.Inquiry) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gc") // short: the path of a socket has 104 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	s := socket.NewServer(socket.Options{Path: path, Name: "daemon", Mode: 0o600, MostBody: 1 << 20, Log: zerolog.Nop()})
	socket.Handle(s, "GET /v1/status", func(*http.Request, socket.None) (control.Status, error) { return control.Status{}, nil })
	socket.Handle(s, "GET /v1/setup", func(*http.Request, socket.None) (control.Setup, error) { return control.Setup{}, nil })
	socket.Handle(s, "POST /v1/inquiry", func(*http.Request, control.InquiryRequest) (control.Inquiry, error) { return answer(), nil })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	l, err := s.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	go func() { defer close(done); _ = s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
	return path
}

// TestInquiryWaits: a mandate for the card in hand takes as long as the card, also for a program to which a daemon that
// does not answer so long hangs.
func TestInquiryWaits(t *testing.T) {
	t.Parallel()
	const within = 500 * time.Millisecond
	path := answering(t, func() control.Inquiry { time.Sleep(2 * within); return control.Inquiry{Use: 1} })
	got, err := control.InquiryRequest{}.Ask(t.Context(), control.NewClientWithin(network.Network{}, path, within))
	if err != nil || got.Use != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestInquiryAtMost: what is too much is not taken, and which use it was is told all the same.
func TestInquiryAtMost(t *testing.T) {
	t.Parallel()
	full := control.Inquiry{Use: 3, Again: true, Reference: &wire.ID{9}, Files: []control.SealedFile{{Sealed: make([]byte, 3000), SHA256: wire.Hash{1}}, {Sealed: []byte("two")}}}
	path := answering(t, func() control.Inquiry { return full })
	client := control.NewClient(path)
	got, err := control.InquiryRequest{}.AskAtMost(t.Context(), client, 1<<20)
	if err != nil || len(got.Files) != 2 || string(got.Files[1].Sealed) != "two" || got.Use != 3 || !got.Again || got.Reference == nil || *got.Reference != *full.Reference {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = control.InquiryRequest{}.AskAtMost(t.Context(), client, 1000)
	if !errors.Is(err, control.ErrLarge) || got.Use != 3 || len(got.Files) != 0 {
		t.Errorf("a large one: %+v, %v", got, err)
	}
	full = control.Inquiry{Refusal: &control.MandateRefusal{Code: "expired", Do: control.InLanguage{EN: "come back"}}}
	if got, err = (control.InquiryRequest{}).AskAtMost(t.Context(), client, 1<<20); err != nil || got.Refusal == nil || got.Refusal.Do.EN != "come back" {
		t.Errorf("a refusal: %+v, %v", got, err)
	}
}
