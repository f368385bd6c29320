package control

import (
	"context"
	"net/http"
	"net/url"
)

// Reader is one reader of `gatehouse reader list`.
type Reader struct {
	Door      string `json:"door"`
	ID        string `json:"id"`
	Type      string `json:"type"`
	Profile   string `json:"profile,omitempty"`
	Direction string `json:"direction"`
	Online    bool   `json:"online"`
	Line      string `json:"line"` // how its line is protected: see Lines
	Fault     string `json:"fault,omitempty"`
	Hint      string `json:"hint,omitempty"`
	OSDP      *OSDP  `json:"osdp,omitempty"`
}

// The protection of the line between a reader and the gateway.
const (
	LineSecured   = "secured"       // OSDP secure channel, with a key of its own
	LineWaiting   = "not secured"   // it must be secured, and is not yet: nothing that it says counts
	LineClear     = "clear text"    // OSDP without secure channel, because the site file says so
	LineUnguarded = "not protected" // whoever reaches the wire can read and replay cards
)

// OSDP is what a reader on a bus reports about itself, and the statistics of the bus.
type OSDP struct {
	Port     string `json:"port"`
	Address  int    `json:"address"`
	Baud     int    `json:"baud"`
	Vendor   string `json:"vendor,omitempty"` // 3 bytes in hex (IEEE OUI)
	Model    int    `json:"model"`
	Version  int    `json:"version"`
	Serial   string `json:"serial,omitempty"`
	Firmware string `json:"firmware,omitempty"`
	Tamper   bool   `json:"tamper"`
	Power    bool   `json:"power_failure"`
	Install  bool   `json:"install"`             // its install window is open
	KeyFault string `json:"key_fault,omitempty"` // why the last new key failed
	Retries  uint64 `json:"retries"`
	Bad      uint64 `json:"bad_frames"`
	BadMACs  uint64 `json:"bad_macs"`
}

// Install opens the window in which a reader takes a new key.
type Install struct {
	Minutes int `json:"minutes"` // 1 to 10
}

// Configure gives an OSDP reader another address and baud rate.
type Configure struct {
	Address int `json:"address"`
	Baud    int `json:"baud"`
}

// LearnFormat waits for the next swipe at a reader in format learning.
type LearnFormat struct {
	Seconds int    `json:"seconds,omitempty"` // how long to wait, default 60
	Printed string `json:"printed,omitempty"` // number printed on the card, if it is to be compared
	Again   bool   `json:"again,omitempty"`   // forget the cards so far
}

// LearnedFormat is the result of the swipes so far.
type LearnedFormat struct {
	Cards     int        `json:"cards"` // different ones so far
	Bits      int        `json:"bits"`  // of the last one
	Proposals []Proposal `json:"proposals"`
	Remarks   []string   `json:"remarks"` // what to look at, in plain words
}

// Proposal is a format that fits all cards so far, the likeliest first.
type Proposal struct {
	Format string   `json:"format"`
	Fields []string `json:"fields"` // of each card, as they may be printed on it
	Why    string   `json:"why"`
}

// Readers lists the readers.
func (c *Client) Readers(ctx context.Context) (all []Reader, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/readers", nil, &all)
}

// Install opens the install window of a reader.
func (c *Client) Install(ctx context.Context, door, reader string, in Install) error {
	return c.socket.Call(ctx, http.MethodPost, readerPath(door, reader, "install"), in, nil)
}

// CloseInstall closes it before its time.
func (c *Client) CloseInstall(ctx context.Context, door, reader string) error {
	return c.socket.Call(ctx, http.MethodDelete, readerPath(door, reader, "install"), nil, nil)
}

// Rekey gives a reader another key, under the one that it has.
func (c *Client) Rekey(ctx context.Context, door, reader string) error {
	return c.socket.Wait(ctx, http.MethodPost, readerPath(door, reader, "rekey"), nil, nil)
}

// Configure gives a reader another address and baud rate.
func (c *Client) Configure(ctx context.Context, door, reader string, in Configure) error {
	return c.socket.Wait(ctx, http.MethodPost, readerPath(door, reader, "configure"), in, nil)
}

// EndLearnFormat ends format learning at a reader, which returns to its door.
func (c *Client) EndLearnFormat(ctx context.Context, door, reader string) error {
	return c.socket.Call(ctx, http.MethodDelete, readerPath(door, reader, "teach"), nil, nil)
}

// LearnFormat waits for the next swipe at a reader. Until EndLearnFormat, or half a minute after the last call,
// the reader opens nothing.
func (c *Client) LearnFormat(ctx context.Context, door, reader string, in LearnFormat) (t LearnedFormat, err error) {
	return t, c.socket.Wait(ctx, http.MethodPost, readerPath(door, reader, "teach"), in, &t)
}

func readerPath(door, reader, act string) string {
	return "/v1/doors/" + url.PathEscape(door) + "/readers/" + url.PathEscape(reader) + "/" + act
}
