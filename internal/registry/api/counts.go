package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"gatehouse/sync/wire"
)

// Town is a town of a district. Without names it is that of mandates that no approver has signed.
type Town struct {
	District string `json:"district"`
	Town     string `json:"town"`
}

// TownCounts is how often something was done of which a town's residents are to hear.
type TownCounts struct {
	Town
	Answers     int `json:"answers"`     // under mandates, from what the registry has
	Emergencies int `json:"emergencies"` // of them, under a mandate of an emergency
	Validated   int `json:"validated"`   // of these emergencies, by a second authority so far
	Refused     int `json:"refused"`     // mandates, by the registry
	Preserved   int `json:"preserved"`   // orders
	Forgotten   int `json:"forgotten"`   // requests
}

// Counts are those of all towns, in a span. They are exact: who publishes them hides the small ones.
type Counts struct {
	Towns    []TownCounts `json:"towns"`    // by district and town; those with nothing, too
	Mandates []wire.Hash  `json:"mandates"` // SHA-256 of the envelopes that were answered, ascending, each once
}

// Counts returns the counts since one time and before another.
func (c Mandated) Counts(ctx context.Context, from, to time.Time) (all Counts, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/counts?"+span(from, to), nil, &all)
}

// Refused is a mandate that the registry refused, without what it asked for.
type Refused struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"` // code
	Town
}

// Refusals returns the refusals since one time and before another, oldest first.
func (c Mandated) Refusals(ctx context.Context, from, to time.Time) (all []Refused, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/disclosures/refusals?"+span(from, to), nil, &all)
}

func span(from, to time.Time) string {
	return url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}.Encode()
}
