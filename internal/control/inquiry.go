package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	Refusal   *MandateRefusal `json:"refusal,omitempty"`
	Reference *wire.ID        `json:"reference,omitempty"` // of the mandate; nil: no approver of the house has signed it for it
	Use       uint64          `json:"use,omitempty"`       // which use of the mandate at this gateway, from 1
	Again     bool            `json:"again,omitempty"`
	Files     []SealedFile    `json:"files,omitempty"` // evidence files, one for each run of the log without a hole
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
	return q, c.socket.Wait(ctx, http.MethodPost, inquiryRoute, r, &q)
}

const inquiryRoute = "/v1/inquiry"

// ErrLarge means that a mandate was answered, and counted, with more than whoever asked can take.
var ErrLarge = errors.New("the answer is larger than this program takes")

// AskAtMost is Ask for who has little memory: of an answer of more than most bytes it returns what the files
// are preceded by, the use among it, and ErrLarge.
func (r InquiryRequest) AskAtMost(ctx context.Context, c *Client, most int64) (q Inquiry, err error) {
	body, err := c.socket.Open(ctx, http.MethodPost, inquiryRoute, r)
	if err != nil {
		return q, err
	}
	defer body.Close()
	limited := &io.LimitedReader{R: body, N: most}
	err = q.decode(json.NewDecoder(limited))
	if err != nil && limited.N == 0 {
		return q, ErrLarge
	}
	return q, err
}

// decode reads field by field, so that what stands before the end is there if it does not come.
func (q *Inquiry) decode(from *json.Decoder) error {
	into := map[string]any{"refusal": &q.Refusal, "reference": &q.Reference, "use": &q.Use, "again": &q.Again, "files": &q.Files}
	_, err := from.Token() // the brace
	for err == nil && from.More() {
		var name json.Token
		if name, err = from.Token(); err != nil {
			break
		}
		field, known := into[fmt.Sprint(name)]
		if !known {
			field = new(any)
		}
		err = from.Decode(field)
	}
	if err == nil {
		_, err = from.Token() // the brace at the end
	}
	if err != nil {
		return fmt.Errorf("answer to %s: %w", inquiryRoute, err)
	}
	return nil
}
