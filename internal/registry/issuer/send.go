package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/ledger"
)

// sender hands what is signed to the front.
type sender struct {
	front  Front
	ledger *ledger.Ledger
	log    zerolog.Logger
	mu     sync.Mutex // one building at a time
}

// send hands House document and list of a building to the front, if it has not got them. A list goes with the buckets that
// the front lacks; all of them where that is not known or was wrong.
func (s *sender) send(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, lacks, err := s.ledger.Outgoing(id)
	if err != nil || !lacks {
		return err
	}
	if o.House != nil {
		if _, err := s.front.PutHouse(ctx, api.Document{Building: id, Envelope: o.House, Old: o.Old, Briefs: o.Briefs}); err != nil {
			return fmt.Errorf("hand house document of %s to the front: %w", id, err)
		}
	}
	if o.List.Manifest.Version > 0 {
		if err := s.putList(ctx, id, o); err != nil {
			return fmt.Errorf("hand list %d of %s to the front: %w", o.List.Manifest.Version, id, err)
		}
	}
	return s.ledger.SetSent(id, o)
}

func (s *sender) putList(ctx context.Context, id string, o ledger.Outgoing) error {
	l := o.List
	out := api.List{Building: id, Manifest: l.Envelope, Second: l.Second, Old: l.Old.Envelope, OldSecond: l.Old.Second, Buckets: [][]byte{}, LogFrom: o.LogFrom, Ended: o.Ended}
	for hash, bytes := range l.Buckets {
		if !o.Known[hash] {
			out.Buckets = append(out.Buckets, bytes)
		}
	}
	var err error
	if out.Log, err = s.ledger.LogFrom(id, o.LogFrom); err != nil {
		return err
	}
	_, err = s.front.PutList(ctx, out)
	if answered(err) && (len(out.Buckets) < len(l.Buckets) || o.LogFrom > 0) {
		o.Known, o.LogFrom = nil, 0
		return s.putList(ctx, id, o) // the front may have lost its store
	}
	return err
}

// sendLogged is send, but for what the front refuses: that is logged and tried again
// later. Another error means that it is away.
func (s *sender) sendLogged(ctx context.Context, id string) error {
	err := s.send(ctx, id)
	if !answered(err) {
		return err
	}
	if status(err) == http.StatusConflict { // it has a newer one, maybe
		s.ledger.SetBehind(id, true)
	}
	refused, _ := errors.AsType[*api.Error](err)
	s.log.Error().Err(err).Str("hint", refused.Hint).Msg("the front refuses what is signed here")
	return nil
}

// sendAll hands over what the front has not got.
func (s *sender) sendAll(ctx context.Context) error {
	for _, id := range s.ledger.Unsent() {
		if err := s.sendLogged(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// Front is what the issuer needs of the front; *api.Client is one.
type Front interface {
	Work(ctx context.Context, after uint64, wait time.Duration) (api.Work, error)
	Answer(ctx context.Context, a api.Answer) error
	PutList(ctx context.Context, l api.List) (api.Pushed, error)
	PutHouse(ctx context.Context, d api.Document) (api.Pushed, error)
	PutTrust(ctx context.Context, envelope []byte) (api.Pushed, error)
	Trusts(ctx context.Context) ([][]byte, error)
	Heads(ctx context.Context, building string) ([]api.Head, error)
	Stored(ctx context.Context, building string) (api.Stored, error)
	Taken(ctx context.Context, h api.Holding) error
	Gateways(ctx context.Context, building string) ([]api.Gateway, error)
	Status(ctx context.Context) (api.Status, error)
}

// status is that of the front's refusal; 0: there was no answer, or no error.
func status(err error) int {
	if refused, ok := errors.AsType[*api.Error](err); ok {
		return refused.Status
	}
	return 0
}

func answered(err error) bool { return status(err) != 0 }
