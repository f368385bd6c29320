package ingest

import (
	"github.com/rs/zerolog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/downlink"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
)

// Options of an Intake. All are needed.
type Options struct {
	Roster    *roster.Roster
	Clock     *agreed.Clock // told what gateways' clocks say
	Committer *commit.Committer
	Downlink  downlink.Downlink
	Inbox     *inbox.Inbox
	Formats   uint64          // of the wire that hellos may have, 1 to this one
	Limited   *zerolog.Logger // for what any gateway can cause
}

// message is one as it came from the link.
type message struct {
	g       *roster.Gateway
	key     wire.Key
	kind    string
	payload []byte
}
