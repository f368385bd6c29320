package wiegand

import (
	"fmt"
	"time"

	"gatehouse/device"
)

// Config is what it takes to run one reader.
type Config struct {
	Source string // the reader, as the site file names it
	// Formats is what it may send, best one alone. The longest ends without waiting
	// for silence: of a reader that sends still longer frames, one in four passes
	// the two parity bits as a card (nobody's), and then tells fault.Trailing.
	// It may be empty where there is a keypad.
	Formats []Format
	Gap     time.Duration // silence that ends a frame, 25 to 100 ms; 0: adaptive, see NewFramer
	Keypad  Keypad
	// ReverseBytes is for a reader that sends the bytes of a card's number
	// backward, as some do with MIFARE: each card is turned round, so that it is the
	// same at every reader. The formats must be of whole bytes, or of whole bytes
	// between two parity bits (W26, W34, W42 to W66).
	ReverseBytes bool
	// LearnFormat takes every frame of 24 to 256 bits that ends with silence for a card,
	// whatever its format and parity, to find out what a reader sends. Formats may
	// then be empty. Never for a door in use.
	LearnFormat bool
}

// Validate tells what is wrong with the configuration.
func (c Config) Validate() error {
	if len(c.Formats) == 0 && c.Keypad.Kind == "" && !c.LearnFormat {
		return fmt.Errorf("reader %s: no format", c.Source)
	}
	for _, f := range c.Formats {
		if f.Bits < 2 || f.Bits > device.MaxCardBits {
			return fmt.Errorf("reader %s: format %q of %d bits", c.Source, f.Name, f.Bits)
		}
		if c.ReverseBytes && !reversible(f) {
			return fmt.Errorf("reader %s: format %s has no whole bytes to reverse", c.Source, f.Name)
		}
	}
	if c.Gap != 0 && (c.Gap < MinGap || c.Gap > MaxGap) {
		return fmt.Errorf("reader %s: gap of %v: want %v to %v, or none", c.Source, c.Gap, MinGap, MaxGap)
	}
	if err := c.Keypad.Validate(c.Formats); err != nil {
		return fmt.Errorf("reader %s: %w", c.Source, err)
	}
	return nil
}
