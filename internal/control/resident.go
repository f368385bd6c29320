package control

import (
	"context"
	"net/http"
	"net/url"
)

// Resident is a resident's request by flat and own PIN, of six digits or more. The acts are open,
// lost, found, object, codes, kept, guest, guests and guest_end.
type Resident struct {
	Flat    string      `json:"flat"`
	PIN     string      `json:"pin"`
	Door    string      `json:"door,omitempty"`     // that opens
	Card    int         `json:"card,omitempty"`     // that is lost or found; 0: the only one
	Guest   *GuestTerms `json:"guest,omitempty"`    // of the code of a guest
	GuestID string      `json:"guest_id,omitempty"` // of one that ends
}

// ForResident is the answer to a resident, about the tenancy of that PIN alone.
type ForResident struct {
	Done
	Choose bool    `json:"choose,omitempty"` // nothing was done: the request has to say which card
	Opened bool    `json:"opened,omitempty"` // the door
	Guests []Guest `json:"guests,omitempty"` // of this tenancy, with whether they are used; of the acts about guests
}

// AskAsResident performs an act of a resident.
func AskAsResident(ctx context.Context, c *Client, act string, r Resident) (out ForResident, err error) {
	return out, c.socket.Call(ctx, http.MethodPost, "/v1/resident/"+url.PathEscape(act), r, &out)
}
