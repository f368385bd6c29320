// Package answer is the command of registryd that answers a mandate, and how a person's seals are opened.
// It writes nothing but what the mandate's recipient alone can open, and prints nobody's name.
package answer

import (
	"context"
	"io"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// Session is the environment of the command.
type Session struct {
	command.Console
	Ctx     context.Context
	Front   *api.Client
	Issuer  *operator.Client
	Version string
	Zone    func(building string) (*time.Location, error) // of the building, as its gateways say; of "": of all
	Screen  io.Writer                                     // a terminal shows there how far a case is
}
