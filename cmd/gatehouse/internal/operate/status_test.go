package operate

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
	"gatehouse/internal/network"
)

// TestHanging: a daemon that takes the request and never answers is told as such after a while, with
// what to do.
func TestHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		hangs := network.Network{Dialer: func(context.Context, string, string) (net.Conn, error) {
			ours, _ := net.Pipe() // nobody reads
			return ours, nil
		}}
		began := time.Now()
		err := Status{}.Run(&session.Session{Ctx: ctx, Client: control.NewClientOver(hangs, "/run/s")})
		var said *control.Error
		if !errors.As(err, &said) || !strings.Contains(said.Message, "does not answer") || !strings.Contains(said.Hint, "sudo systemctl restart gatehoused") {
			t.Errorf("%v: %+v", err, said)
		}
		if took := time.Since(began); took != session.AnswerWithin {
			t.Errorf("after %v", took)
		}
	})
}
