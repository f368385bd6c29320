package reception

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device"
	"gatehouse/device/idcard"
	"gatehouse/device/uart"
	"gatehouse/internal/socket"
)

// IDCard is the command that looks after the reader of identity cards.
type IDCard struct {
	Test idCardTestCmd `cmd:"" help:"Ask the module how it is. No card is read."`
}

type idCardTestCmd struct {
	Port string `required:"" help:"Its serial port, best a path under /dev/serial/by-id." placeholder:"PATH"`
	Baud int    `help:"115200, 57600, 38400, 19200 or 9600." default:"115200"`
}

// idCardState is what an installer wants to know of a module.
type idCardState struct {
	Port   string `json:"port"`
	State  string `json:"state"`
	Module string `json:"module"` // its number, which is nobody's data
}

func (c idCardTestCmd) Run(s *session.Session) error {
	r := idCardReader{c.Port, c.Baud}
	if err := r.baud(); err != nil {
		return err
	}
	state := idCardState{Port: c.Port, State: "ready"}
	err := r.with(s.Ctx, func(m *idcard.Module) (err error) {
		state.Module, err = m.Number(s.Ctx)
		return err
	})
	if err != nil {
		return socket.Hinted(idCardHint(err), "%v", err)
	}
	return s.Print(state, nil, func(w io.Writer) { fmt.Fprintf(w, "the module at %s is ready, number %s\n", state.Port, state.Module) })
}

// idCardReader says where the identity-card module of the desk is.
type idCardReader struct {
	IDCard     string `name:"id-card" env:"GATEHOUSE_ID_CARD" help:"Read the identity card by the SAM_V module on this serial port." placeholder:"PORT"`
	IDCardBaud int    `name:"id-card-baud" help:"115200, 57600, 38400, 19200 or 9600." default:"115200"`
}

// cardTimeout is how long a check-in waits for a card to be laid down.
const cardTimeout = 30 * time.Second

// read waits for a card and reads it.
func (c idCardReader) read(ctx context.Context) (r idcard.Record, err error) {
	if err := c.baud(); err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(ctx, cardTimeout)
	defer cancel()
	err = c.with(ctx, func(m *idcard.Module) (err error) {
		r, err = m.Read(ctx)
		return err
	})
	if err != nil {
		return idcard.Record{}, socket.Hinted(idCardHint(err)+"; or type what the document says", "%v", err)
	}
	return r, nil
}

func (c idCardReader) baud() error {
	if !slices.Contains(idcard.BaudRates(), c.IDCardBaud) {
		return socket.Hinted("one of 115200, 57600, 38400, 19200, 9600; from the works it is the first", "ID-card modules know no %d baud", c.IDCardBaud)
	}
	return nil
}

// with opens the port, sees that a module answers there and lets it be used.
func (c idCardReader) with(ctx context.Context, use func(*idcard.Module) error) error {
	port, err := uart.Open(device.PortConfig{Path: c.IDCard, Baud: c.IDCardBaud})
	if err != nil {
		return portError{err}
	}
	defer func() { _ = port.Close() }()
	m := idcard.New(port)
	if err := m.Check(ctx); err != nil {
		return err
	}
	return use(m)
}

// portError is a port that can't be opened: no card is to blame.
type portError struct{ error }

func (e portError) Unwrap() error { return e.error }

// idCardHint says what to do about a module or a card that can't be read. The
// errors have nothing of what stands in the card.
func idCardHint(err error) string {
	var status idcard.Status
	switch {
	case errors.As(err, &status) && status.Hint() != "":
		return status.Hint()
	case errors.Is(err, idcard.ErrNoCard):
		return "lay the card flat on the reader; if it lies there, take it off and lay it on again"
	case errors.Is(err, idcard.ErrSilent):
		return "check power, cable, port and baud rate of the module; gatehouse idcard test asks it how it is"
	case errors.Is(err, idcard.ErrUnknownCard), errors.Is(err, idcard.ErrRecord):
		return "try again"
	case errors.Is(err, os.ErrPermission):
		return "the group of serial ports, often dialout, may open it"
	case errors.Is(err, os.ErrNotExist), errors.Is(err, device.ErrUnplugged), errors.As(err, new(portError)):
		return "check the cable and the path: ls /dev/serial/by-id"
	}
	return "take the card off and lay it on again"
}
