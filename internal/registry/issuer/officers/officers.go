// Package officers certifies the keys of officers, each with a unit and a badge number: for mandates,
// for orders to preserve, and to receive answers. It refuses the key of an approver, since who
// approves may not ask, and keeps no name.
package officers

import (
	"bytes"
	"encoding/hex"
	"slices"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

const mostDays = mandates.LongestCertificate / 86400

// Add makes an officer's certificate, written down in the same transaction. One whose key was
// revoked gets none: a new officer has a new key.
func Add(c *ledger.Change, who string, n operator.NewOfficer) (o operator.Officer, err error) {
	if len(n.Public) != 32 {
		return o, api.Hinted("the .pub beside the key of gatehouse mandate key", "no Ed25519 key")
	}
	if slices.ContainsFunc(c.Keys.Trust.Approvers, func(a approver.Approver) bool { return bytes.Equal(a.Public[:], n.Public) }) {
		return o, api.Hinted("an officer has a key of his own", "the key is an approver's: who approves may not ask")
	}
	if len(n.Receive) > 0 && sealing.CheckPublic(n.Receive) != nil {
		return o, api.Hinted("the .pub of gatehouse mandate key FILE --receive", "nothing can be sealed to the key to receive with")
	}
	if n.Days < 1 || n.Days > mostDays {
		return o, api.Hinted("a gateway without network hears of no revocation: the certificate ends by itself", "a certificate is good for 1 to %d days, not %d", mostDays, n.Days)
	}
	now, sure := c.Clock.Agreed()
	if !sure {
		return o, api.Hinted("registryd clock says why", "the clock is in doubt: no certificate is made")
	}
	cert := mandates.Certificate{Public: [32]byte(n.Public), Receive: n.Receive, Unit: n.Unit, Badge: n.Badge, District: n.District, Town: n.Town,
		From: now, Until: now + uint32(n.Days)*86400}
	id := wire.IDOf(n.Public)
	o = operator.Officer{ID: hex.EncodeToString(id[:]), Unit: n.Unit, Badge: n.Badge, District: n.District, Town: n.Town,
		From: time.Unix(int64(cert.From), 0).UTC(), Until: time.Unix(int64(cert.Until), 0).UTC()}
	known, err := store.Officers(c.Tx)
	if err != nil {
		return o, err
	}
	if slices.ContainsFunc(known, func(k operator.Officer) bool { return k.ID == o.ID && k.Revoked }) {
		return o, api.Hinted("gatehouse mandate key makes a new one", "the key was revoked")
	}
	if o.Certificate, err = cert.Sign(c.Keys.Place.Registry, c.Keys.Epoch, c.Keys.Issuer); err != nil {
		return o, api.Hinted("unit and badge have 1 to 64 characters, district and town are ids as the registry has them", "%v", err)
	}
	store.PutOfficer(c.Tx, o)
	c.Audit(who, "officer add", "", o.ID, n.Unit)
	return o, nil
}

// Revoke ends an officer's enrolment: no further certificate. The last one ends by itself.
func Revoke(c *ledger.Change, who, id, reason string) error {
	if reason == "" || !wire.ValidText(reason) {
		return api.Hinted("--reason left, lost or stolen, for example", "no reason, or more than 64 characters")
	}
	if !store.RevokeOfficer(c.Tx, id, c.Clock.Unix(), reason) {
		return api.Hinted("registryd officer list shows them", "no officer with the key %q that is not revoked", id)
	}
	c.Audit(who, "officer revoke", "", id, reason)
	return nil
}
