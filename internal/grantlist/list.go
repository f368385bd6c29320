// Package grantlist makes lists of grants: an Editor in the tool of whoever holds the
// issuer's key, a Draft at a registry, whose store has the grants. And it has the rules
// by which both ends count what a list takes from whom (Losses, MayLose), so that an
// issuer asks for the second signature that a gateway would ask for. It keeps no file.
package grantlist

import "gatehouse/sync/wire"

// List is a whole signed list: what a tool edits, what an installer carries.
type List struct {
	Manifest []byte   // the envelope; empty: no list yet
	Buckets  [][]byte // all of them, in order
}

// Update is a new version of a list: the signed manifest, and those buckets
// that the gateway does not have. With all buckets it is a full list.
type Update struct {
	Manifest []byte             // the envelope
	Buckets  [][]byte           // in any order: the manifest has their hashes
	Proof    Proof              // that the active list is in the log which the manifest names
	Second   []byte             // envelope of a second issuer (wire.TypeSecond), where many tenancies end; else empty
	Labels   map[wire.ID]string // the landlord's own words, by grant; empty text erases. Not signed, never sent on
}

// Proof is the RFC 6962 inclusion proof of the active list in the log that a
// manifest names. The zero one proves nothing, or the only list of a log.
type Proof struct {
	Index  uint64
	Hashes []wire.Hash
}
