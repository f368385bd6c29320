package gateway

import (
	"gatehouse/internal/cover"
)

// covers are the entries that say nothing, among which those stand that say that the log was queried.
func covers(g *Gateway) cover.Writer {
	return cover.Writer{Journal: g.Journal, Next: g.o.Cadence.Cover, Log: g.o.Log, Key: func() (string, []byte) {
		if r := g.Keyring.Keys.Registry(); r != nil {
			return r.Place.Address(), r.Trust.Records
		}
		return "", nil
	}}
}
