package api

import (
	"context"
	"net/http"
	"time"

	"gatehouse/sync/wire"
)

// Notice is a mandate that the registry answered, for telling those whom it asked about. Whom the answers name is not in it.
type Notice struct {
	Reference wire.ID       `json:"reference"`
	Mandate   []byte        `json:"mandate"` // envelope, of the newest answer
	Answers   []NoticeGiven `json:"answers"` // oldest first
	Due       bool          `json:"due"`     // by the registry's clock those may be told now
	Told      *NoticeTold   `json:"told,omitempty"`
}

// NoticeGiven is one of its answers: from which entries of a gateway's log it was made.
type NoticeGiven struct {
	Place Place          `json:"place"`
	At    time.Time      `json:"at"`
	Logs  []DisclosedLog `json:"logs"`
}

// NoticeTold says that they were told.
type NoticeTold struct {
	At time.Time `json:"at"`
	By string    `json:"by"` // user of the front's machine
}

// ToTell names a mandate of which those were told whom it asked about.
type ToTell struct {
	Reference wire.ID `json:"reference"`
}

// Notices returns the mandates that were answered, in the order of their first answers.
func (c Mandated) Notices(ctx context.Context) (all []Notice, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/disclosures/notices", nil, &all)
}

// Tell stores that those were told whom a mandate asked about. One of which nobody may be told now is refused.
func (c Mandated) Tell(ctx context.Context, t ToTell) (n Notice, err error) {
	return n, c.socket.Call(ctx, http.MethodPost, "/v1/disclosures/told", t, &n)
}
