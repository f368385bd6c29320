package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/cmd/gatesim/internal/enrolled"
	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/play"
	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/network"
	"gatehouse/internal/web"
	"gatehouse/internal/web/account"
)

// pageCmd opens a house that is enrolled, in which people come and go, with its page.
type pageCmd struct {
	Port int    `default:"0" help:"Port of the page at 127.0.0.1; 0: one that is free."`
	Dir  string `help:"Directory for keys, logs and state, new or empty; it stays. Default: one that is removed." placeholder:"DIR"`
}

// Run serves until Ctrl-C, which is no failure.
func (c pageCmd) Run(ctx context.Context, s process.Streams) (err error) {
	if err := process.Loopback(); err != nil {
		return err
	}
	dir, remove, err := demoCmd{Dir: c.Dir}.directory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	h, err := house.New(filepath.Join(dir, enrolled.Building), enrolled.Building)
	if err != nil {
		return err
	}
	day := play.New(ctx, h, &play.Story{Began: time.Now(), Out: s.Out})
	second, err := enrolled.New(dir, day)
	if err != nil {
		return errors.Join(err, day.End())
	}
	err = c.open(ctx, second, dir)
	if ctx.Err() != nil {
		err = nil
	}
	if err = errors.Join(err, second.End()); err != nil {
		play.Tail(s.Err, h.Log())
		play.Tail(s.Err, second.Centre.Log())
	}
	return err
}

// open moves the first tenants in and serves the page.
func (c pageCmd) open(ctx context.Context, second *enrolled.Second, dir string) error {
	story := second.Day.Story
	story.Print("A house with three doors, enrolled with a registry. Doors, readers and people are played; daemon and registry are real processes.\n\n")
	if err := second.Settle(); err != nil {
		return err
	}
	all, err := account.Open(dir)
	if err != nil {
		return err
	}
	code, err := all.Code()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return fmt.Errorf("open the page: %w; without --port it takes a port that is free", err)
	}
	log, err := os.OpenFile(filepath.Join(dir, "page.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer log.Close()
	page, err := c.page(second, all, l, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	story.Print("\nThe page:  http://%s\nThe code:  %s %s   (on the label of the gateway: it makes the first owner)\nCards:     Enter here holds a new card to the reader of the front door, for who checks in; 1 and Enter holds the first of them up again\n"+
		"Ctrl-C ends it and removes what it made.\n\n"+
		"What happens at the doors from now on is told here alone: the page shows no movement of a resident.\n\n", l.Addr(), code[:4], code[4:])
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { served <- page.Run(ctx) }()
	// Rarely enough for a card to be presented twice at a door that nobody opens meanwhile.
	play.Live(second.Day, second.Day.House.People.Residents[:enrolled.FirstTenants], time.Minute, cardsOf(ctx, os.Stdin))
	cancel()
	return <-served
}

// page is the one that gatehouse-page serves, at a listener that is open already.
func (c pageCmd) page(second *enrolled.Second, all *account.Store, l net.Listener, log io.Writer) (*web.Server, error) {
	return web.New(web.Options{Daemon: second.Day.Client, Accounts: all, Plain: []string{l.Addr().String()}, Version: "gatesim",
		Network: network.Network{Listener: func(context.Context, string, string) (net.Listener, error) { return l, nil }},
		Log:     zerolog.New(log).With().Timestamp().Logger()})
}
