package control

import (
	"context"
	"net/http"

	"gatehouse/sync/wire"
)

// InquiryRequest shows a mandate to the gateway.
type InquiryRequest struct {
	Mandate []byte `json:"mandate"`       // the envelope
	Use     uint64 `json:"use,omitempty"` // the answer of this use again: nothing is counted; 0: a new use
}

// Inquiry is what a mandate gets: a refusal, or files that its recipient alone opens.
type Inquiry struct {
	Refusal *MandateRefusal `json:"refusal,omitempty"`
	Use     uint64          `json:"use,omitempty"` // which use of the mandate at this gateway, from 1
	Again   bool            `json:"again,omitempty"`
	Files   []SealedFile    `json:"files,omitempty"` // evidence files, one for each run of the log without a hole
}

// SealedFile is an evidence file that its recipient's key opens.
type SealedFile struct {
	Sealed []byte    `json:"sealed"`
	SHA256 wire.Hash `json:"sha256"` // of the file within
}

// MandateRefusal says why a mandate is refused, by which rule, and what to do, in Chinese and English.
type MandateRefusal struct {
	Code    string     `json:"code"`
	Reason  InLanguage `json:"reason"`
	Article InLanguage `json:"article"`
	Do      InLanguage `json:"do"`
}

// InLanguage is a sentence in both languages.
type InLanguage struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// Ask shows a mandate to the gateway. It waits for a card where the mandate is for one that is held to a
// reader.
func (r InquiryRequest) Ask(ctx context.Context, c *Client) (q Inquiry, err error) {
	return q, c.socket.Call(ctx, http.MethodPost, "/v1/inquiry", r, &q)
}
