package osdp

import (
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

// MaxReaders is how many readers one Bus takes: as many as there are addresses
// would need minutes for one round.
const MaxReaders = 32

const (
	defaultPoll = 50 * time.Millisecond // SIA OSDP: 50 to 200 ms
	maxPoll     = time.Second
	maxWindow   = 10 * time.Minute // of Install
)

// ReaderConfig is what a Bus needs to know of one reader.
type ReaderConfig struct {
	Source    string   // the reader's name in its events
	Address   byte     // 0 to 0x7E; protocol.ConfigAddress only for the one reader of a bus
	ClearText bool     // of a reader without secure channel, which has to be named so
	Keys      KeyStore // of any other

	// Check judges a card before it becomes an event; nil accepts all.
	Check  func(device.Card) fault.Code
	Keypad device.Keypad

	// Indications are the looks and sounds of feedback. Nil: the package's own, within the LED and
	// buzzer that the reader claims to have.
	Indications map[device.Feedback]protocol.Indication

	Events chan<- device.Event // of the reader's door
}

// BusConfig is what a Bus needs to know.
type BusConfig struct {
	Baud    int           // of the port: 9600 to 230400
	Poll    time.Duration // between two polls of one reader; 0: 50 ms
	Readers []ReaderConfig
	Log     zerolog.Logger
}

// Validate returns what is wrong with the configuration.
func (c BusConfig) Validate() error {
	if c.Baud < 1200 || c.Baud > 4_000_000 {
		return fmt.Errorf("OSDP bus at %d baud", c.Baud)
	}
	if c.Poll < 0 || c.Poll > maxPoll {
		return fmt.Errorf("OSDP bus polled each %v: want up to %v", c.Poll, maxPoll)
	}
	if len(c.Readers) == 0 || len(c.Readers) > MaxReaders {
		return fmt.Errorf("OSDP bus with %d readers: want 1 to %d", len(c.Readers), MaxReaders)
	}
	seen := map[byte]string{}
	for _, r := range c.Readers {
		if err := r.validate(); err != nil {
			return fmt.Errorf("reader %s: %w", r.Source, err)
		}
		if other, ok := seen[r.Address]; ok {
			return fmt.Errorf("readers %s and %s have the same address %d", other, r.Source, r.Address)
		}
		if r.Address == protocol.ConfigAddress && len(c.Readers) > 1 {
			return fmt.Errorf("reader %s: address %d is every reader's and only for a bus with one", r.Source, r.Address)
		}
		seen[r.Address] = r.Source
	}
	return nil
}

func (c ReaderConfig) validate() error {
	switch {
	case c.Address > protocol.ConfigAddress:
		return fmt.Errorf("address %d: want 0 to %d", c.Address, protocol.ConfigAddress-1)
	case !c.ClearText && c.Keys == nil:
		return errors.New("a secured reader needs a place for its keys")
	case c.Events == nil:
		return errors.New("no channel for its events")
	}
	for f, i := range c.Indications {
		if err := i.Validate(); err != nil {
			return fmt.Errorf("indication %v: %w", f, err)
		}
	}
	return nil
}
