package document

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// Marks makes marks of house documents that this front has verified: a start that finds a mark need
// not verify the signature again, which takes fifty times as long. A mark is a MAC under a key that
// follows from the witness key, so that whoever writes into the database alone can't make one. It is
// of the document as it came, for one building, under the issuers of one trust document: it is worth
// nothing once another issuer counts or one no longer does.
type Marks struct{ key []byte }

// markUse is for the marks of what OpenHouses checks: whoever checks more begins another number, so
// that all documents are verified once more.
const markUse = "gatehouse registry, house documents verified, 1"

// NewMarks returns the marks of the front with a witness key.
func NewMarks(witness ed25519.PrivateKey) (Marks, error) {
	key, err := hkdf.Key(sha256.New, witness.Seed(), nil, markUse, sha256.Size)
	return Marks{key}, err
}

// Of returns the mark of a document that was verified by an Authority.
func (m Marks) Of(a *Authority, d api.Document) []byte {
	mac := hmac.New(sha256.New, m.key)
	number := func(n uint64) { _, _ = mac.Write(binary.BigEndian.AppendUint64(nil, n)) } // a hash takes all
	number(uint64(len(a.issuers)))
	for _, k := range a.issuers {
		number(k.Epoch)
		_, _ = mac.Write(k.Public)
	}
	for _, b := range [][]byte{[]byte(d.Building), d.Envelope, d.Old} {
		number(uint64(len(b)))
		_, _ = mac.Write(b)
	}
	return mac.Sum(nil)
}

// ReopenHouse reads a stored house document, by its mark or, if that is not the right one, by its
// signatures. It returns the right mark.
func (a *Authority) ReopenHouse(d api.Document, mark []byte, m Marks) (h wire.House, right []byte, err error) {
	right = m.Of(a, d)
	if !hmac.Equal(mark, right) {
		h, err = a.OpenHouses(d)
		return h, right, err
	}
	payload, err := wire.PayloadOf(d.Envelope)
	if err == nil {
		err = wire.Decode(payload, &h)
	}
	return h, right, err
}
