package act

import (
	"strings"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/internal/socket"
)

// requestsFor is how long it is kept that a request was made, once it is answered.
const requestsFor = 400 * 24 * time.Hour

// ReadRequests writes down that somebody reads what residents ask to have put right.
func ReadRequests(c *ledger.Change, who string, in operator.ReadRequests) (none socket.None, err error) {
	if err := caseOf(&in.Case); err != nil {
		return none, err
	}
	c.Audit(who, "corrections", in.Building, "", in.Case)
	return none, nil
}

// FoundRequests keeps which requests were read, so that none is forgotten, and returns all.
func FoundRequests(c *ledger.Change, in operator.FoundRequests) ([]operator.Request, error) {
	now := c.Clock.Unix()
	for _, r := range in.All {
		tenancy, err := parseID(r.Tenancy)
		if err != nil {
			return nil, err
		}
		store.AddRequest(c.Tx, r, tenancy)
	}
	store.DropRequests(c.Tx, now-min(now, uint32(requestsFor.Seconds())))
	if in.Whole {
		store.SetRequestsRead(c.Tx, now)
	}
	return store.Requests(c.Tx)
}

// RequestDone closes a request that somebody has answered.
func RequestDone(c *ledger.Change, who string, in operator.DoneRequest) (none socket.None, err error) {
	if err := caseOf(&in.Case); err != nil {
		return none, err
	}
	building, err := store.RequestDone(c.Tx, strings.ToLower(in.Number), c.Clock.Unix())
	if err != nil {
		return none, err
	}
	if building == "" {
		return none, api.Hinted("registryd corrections --key records.key --case FILE shows those that are open", "no open request has the number %q", in.Number)
	}
	c.Audit(who, "correction done", building, strings.ToLower(in.Number), in.Case)
	return none, nil
}
