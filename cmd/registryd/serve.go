package main

import (
	"errors"
	"io/fs"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/front"
	"gatehouse/internal/socket"
)

type serveCmd struct {
	Config string `help:"The front's configuration." default:"/var/lib/gatehouse-registry/front/front.toml" placeholder:"FILE"`
}

// Run serves until it is told to stop.
func (c serveCmd) Run(s *session) error {
	config, err := front.LoadConfig(c.Config)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return socket.Hinted("registryd init writes one into the front's directory; name it with --config", "%v", err)
	case errors.Is(err, fs.ErrPermission):
		return socket.Hinted("run this as the front's user", "%v", err)
	case err != nil:
		return err
	}
	log := zerolog.New(s.Err).With().Timestamp().Logger().Level(zerolog.InfoLevel)
	f, err := front.New(front.Options{Config: config, Version: version, Log: log})
	if err != nil {
		return err
	}
	log.Info().Str("config", c.Config).Str("version", version).Msg("the front starts")
	if err := f.Run(s.ctx); err != nil {
		return err
	}
	log.Info().Msg("the front has stopped")
	return nil
}
