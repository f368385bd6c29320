package issuer

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/registry/api"
)

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

// answered reports whether an error is the front's answer.
func answered(err error) bool { return status(err) != 0 }
