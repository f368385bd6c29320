package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/idcard"
	"gatehouse/device/uart"
	"gatehouse/internal/idnumber"
	"gatehouse/sync/wire"
)

// TestIDCard: the module that is played is read as a real one, and the numbers of
// its people are well formed.
func TestIDCard(t *testing.T) {
	documents := map[idcard.Kind]wire.DocumentType{idcard.Citizen: wire.DocumentResidentID, idcard.Residence: wire.DocumentResidence,
		idcard.Foreigner: wire.DocumentForeigner, idcard.OldForeigner: wire.DocumentForeigner}
	for name, card := range idCards {
		port := filepath.Join(t.TempDir(), "idcard")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan int, 1)
		args := []string{"idcard", port, "--card", name}
		if name == "foreigner" {
			args = append(args, "--rough")
		}
		go func() { done <- run(ctx, args, io.Discard, io.Discard) }()
		eventually(t, "the port is there", func() bool {
			_, err := os.Stat(port)
			return err == nil
		})
		line, err := uart.Open(device.PortConfig{Path: port, Baud: 115200})
		if err != nil {
			t.Fatal(err)
		}
		record, err := idcard.New(line).Read(ctx)
		if err != nil || record.Number() != card.Number || record.Name() != card.Name {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := idnumber.Check(documents[record.Kind()], record.Number(), time.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = line.Close()
		stop()
		if status := <-done; status != 0 {
			t.Errorf("%s: status %d", name, status)
		}
		if _, err := os.Lstat(port); err == nil {
			t.Errorf("%s: the port stays", name)
		}
	}
}
