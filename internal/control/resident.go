package control

import (
	"context"
	"net/http"
	"net/url"
)

// Resident is a resident's request by flat and own PIN, of six digits or more. The acts are open,
// lost, found, object, codes and kept.
type Resident struct {
	Flat string `json:"flat"`
	PIN  string `json:"pin"`
	Door string `json:"door,omitempty"` // that opens
	Card int    `json:"card,omitempty"` // that is lost or found; 0: the only one
}

// ForResident is the answer to a resident, about the tenancy of that PIN alone.
type ForResident struct {
	Done
	Choose bool `json:"choose,omitempty"` // nothing was done: the request has to say which card
	Opened bool `json:"opened,omitempty"` // the door
}

// AskAsResident performs an act of a resident.
func AskAsResident(ctx context.Context, c *Client, act string, r Resident) (out ForResident, err error) {
	return out, c.socket.Call(ctx, http.MethodPost, "/v1/resident/"+url.PathEscape(act), r, &out)
}
