package device

import (
	"encoding/json"
	"fmt"
)

// MaxCode is the longest text of a Code in bytes. The largest QR code (version
// 40, ISO/IEC 18004) holds 2,953.
const MaxCode = 2953

// Code is the text of a bar code or QR code as a scanner sent it. Whoever has the
// text can show it again, so that it never prints.
type Code struct{ text string }

// NewCode makes a Code; false for an empty text or one that is too long.
func NewCode(text string) (Code, bool) {
	return Code{text}, text != "" && len(text) <= MaxCode
}

// Text returns what the code says: check it, never log or keep it.
func (c Code) Text() string { return c.text }

// String tells the length only.
func (c Code) String() string { return fmt.Sprintf("code of %d bytes", len(c.text)) }

// Format keeps every verb of fmt from printing the text.
func (c Code) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.String())) }

// MarshalJSON keeps encoders from writing the text.
func (c Code) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// String tells that there is a PIN, and not even its length.
func (p PIN) String() string { return "PIN" }

// Format keeps every verb of fmt from printing the digits.
func (p PIN) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(p.String())) }

// MarshalJSON keeps encoders from writing the digits.
func (p PIN) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }
