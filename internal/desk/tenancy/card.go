package tenancy

import (
	"slices"

	"gatehouse/sync/wire"
)

// KeptCard is the forms in which the readers see one card, under one grant, and on
// whose word it came.
type KeptCard struct {
	Grant       wire.ID             `json:"grant"`
	Credentials []wire.CredentialID `json:"credentials"`
	Since       uint32              `json:"since"`
	// Unproven: it came on the landlord's word and no tenant has confirmed it, so
	// it opens and proves nothing.
	Unproven bool   `json:"unproven,omitempty"`
	Word     uint32 `json:"word,omitempty"`     // when the newest word on it was given: an older one that comes late, or again, changes nothing
	Stopped  bool   `json:"stopped,omitempty"`  // suspended, on the landlord's word alone
	Reported bool   `json:"reported,omitempty"` // suspended by a desk's record; else by the registry
	Stop     *Stop  `json:"stop,omitempty"`
}

// Stop is a suspension that the landlord has asked for on his word alone. The
// card goes on opening until the days of a notice have passed, and for good if a
// door takes it meanwhile: then it is not lost.
type Stop struct {
	Left uint32 `json:"left,omitempty"` // s that this gateway still has to run until then; 0: a sibling counts them
	Used bool   `json:"used,omitempty"` // a door here has taken the card since
}

// among reports whether all forms of the card are among ids.
func (c *KeptCard) among(ids []wire.CredentialID) bool {
	return len(c.Credentials) > 0 && !slices.ContainsFunc(c.Credentials, func(id wire.CredentialID) bool { return !slices.Contains(ids, id) })
}

// Meets reports whether any form of the card is among ids.
func (c *KeptCard) Meets(ids []wire.CredentialID) bool {
	return slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return slices.Contains(c.Credentials, id) })
}
