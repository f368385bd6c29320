// Package front is the front of the central registry, the only process that gateways reach. It
// wires and runs the packages below it: ingest checks messages, commit stores them, downlink sends
// acks, documents and lists, enrolment and inbox pass requests to the issuer and answers back,
// roster has the state of gateways, and query, status and backup serve the operator.
//
// It trusts only signatures: a gateway's by the house document, which the issuer signed, and the
// issuer's by the trust document, which the root signed. It stores only entries that hash to the
// root that the gateway signed, does not judge their content, and has bounded queues: a dropped
// message is sent again, because only a commit is acked. It has no key that signs a list or opens a
// seal.
package front

import (
	"context"
	"fmt"
	"time"

	"gatehouse/internal/network"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/backup"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/disclosure/acts"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/downlink"
	"gatehouse/internal/registry/front/enrolment"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/ingest"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/front/status"
	"gatehouse/internal/registry/ratelog"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

// Link is the connection to the gateways: the embedded broker, or another one.
type Link interface {
	downlink.Link
	Run(ctx context.Context) error
	Connected() bool
}

// Options of a front. Config is from LoadConfig.
type Options struct {
	Config  Config
	Version string
	Log     zerolog.Logger
	// Formats are the wire formats that it speaks, 1 to this one; 0: all that this program knows.
	Formats uint64
	// Link makes another link than the configured one; it passes the gateways' messages to receive,
	// which returns at once. For tests and simulators.
	Link func(receive func(topic string, payload []byte)) (Link, error)
	// Ready is called once, when gateways can connect, with the addresses (host:port) of the
	// embedded broker and of enrolment.
	Ready func(broker, enrol string)
	// Now is the wall clock for what is stored, sent or compared with something stored; nil:
	// time.Now.
	Now func() time.Time
	// Clock is the source that the wall clock is compared with; zero: the machine's clocks, or with
	// Now none.
	Clock   agreed.Source
	Network network.Network // for the socket and enrolment
	// Chance returns a random time from 0 to the limit, so that waiting gateways do not come back
	// at once; nil: the standard one.
	Chance func(limit time.Duration) time.Duration
	// WorkWait is the most time that the issuer's request for work is held while there is none; 0:
	// a minute.
	WorkWait time.Duration
	// WorkGather is how long such a request is held when there is work, to gather more; 0: not at
	// all.
	WorkGather time.Duration
	// CosignEvery is the least time between cosignatures of an epoch that grows; 0: 3 s.
	CosignEvery time.Duration
}

// Front is the registry's front.
type Front struct {
	o       Options
	keys    ownKeys
	clock   *agreed.Clock
	active  document.Active
	limited *zerolog.Logger // rate-limited, for events that any gateway or broker can cause

	// The following fields are set by Run.
	store     *store.Store
	acts      *acts.Ledger
	roster    *roster.Roster
	link      Link
	downlink  downlink.Downlink
	committer *commit.Committer
	intake    *ingest.Intake
	inbox     *inbox.Inbox
	safety    *backup.Safety
	enrolment *enrolment.Server
	page      *status.Page
}

// New returns a front with its keys loaded. Run starts it.
func New(o Options) (*Front, error) {
	k, err := loadKeys(o.Config, ratelog.New(o.Log))
	if err != nil {
		return nil, err
	}
	clock, err := agreed.Open(o.Config.path(agreed.File), o.Clock.Or(o.Now))
	if err != nil {
		return nil, err
	}
	o.Now = clock.Likely
	if o.Formats == 0 || o.Formats > wire.Formats {
		o.Formats = wire.Formats
	}
	if o.WorkWait <= 0 {
		o.WorkWait = time.Minute
	}
	f := &Front{o: o, keys: k, clock: clock, limited: ratelog.New(o.Log)}
	first, err := document.OpenTrust(k.trust, k.root, k.witnessPublic())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Config.path(api.FileTrust), err)
	}
	f.active.Store(first)
	return f, nil
}
