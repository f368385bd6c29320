package commit

import (
	"crypto/ed25519"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/front/backup"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// Options of a Committer. All are needed.
type Options struct {
	Store   *store.Store
	Roster  *roster.Roster
	Safety  *backup.Safety
	Clock   *agreed.Clock
	Now     func() time.Time  // of what is stored
	Witness ed25519.PublicKey // of cosignatures
	PerDay  int64             // bytes of new entries of one gateway
	Log     zerolog.Logger
	Limited *zerolog.Logger // for what any gateway can cause
}

// Outcome is what is to be done after a commit, in this order.
type Outcome struct {
	Heard    []*roster.Gateway // something new came of these
	At       time.Time         // of the commit
	Verdicts []Verdict
	Records  bool      // there is work for the issuer
	Messages []Message // to gateways
	Replies  []Reply
}

// Verdict is what a stored entry says of a list: active, or refused.
type Verdict struct {
	Gateway *roster.Gateway
	List    wire.Hash
	Refuses wire.Reason // ReasonNone: the list is active
}

// Message is one to a gateway.
type Message struct {
	Topic   string
	Payload []byte
}

// Reply is an ack without what is known only when it is sent.
type Reply struct {
	Gateway *roster.Gateway
	Ack     wire.Ack2
	Hold    uint16 // s in which the gateway should send no batches
	Cosign  bool   // the witness may sign the tree at Ack.Time
}
