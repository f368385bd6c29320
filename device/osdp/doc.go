// Package osdp is the control panel's side of the Open Supervised Device
// Protocol (SIA OSDP v2.2, IEC 60839-11-5): a Bus polls the readers of one
// RS-485 line in one goroutine, holds a secure channel with each, and turns what
// they say into device.Event.
//
// It refuses clear text from a reader unless that reader is configured for it,
// it never asks a reader whether to use encryption, it uses the key that
// everybody knows only while somebody on site holds a window of minutes open,
// and it never lets a card pass that waited in a reader. It knows nothing of
// doors, formats of cards or where keys are kept.
package osdp
