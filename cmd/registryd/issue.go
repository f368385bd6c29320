package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/front"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

type issueCmd struct {
	Dir string `help:"The issuer's directory, as init made it." default:"/var/lib/gatehouse-registry/issuer" placeholder:"DIRECTORY"`
}

// Run runs the issuer until it is told to stop. Its own socket is in its directory.
func (c issueCmd) Run(s *session) error {
	log := zerolog.New(s.Err).With().Timestamp().Logger()
	i, err := issuer.Open(issuer.Options{Dir: c.Dir, Front: s.front, Log: log})
	if errors.Is(err, fs.ErrPermission) {
		return socket.Hinted("run this as the issuer's user", "%v", err)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var work sync.WaitGroup
	var errs [2]error
	for n, run := range []func(context.Context) error{i.Run,
		func(ctx context.Context) error { return i.Serve(ctx, filepath.Join(c.Dir, issuer.FileSocket)) }} {
		work.Go(func() {
			defer cancel() // one without the other is no issuer
			errs[n] = run(ctx)
		})
	}
	log.Info().Str("directory", c.Dir).Msg("issuer at work")
	work.Wait()
	return errors.Join(errs[0], errs[1], i.Close())
}

type issuerCmd struct{}

func (issuerCmd) Run(s *session) error {
	st, err := s.issuer.Status(s.ctx)
	return s.Print(st, err, func(w io.Writer) {
		fmt.Fprintf(w, "registry   %s, %s\n", st.Registry, amount.Of(st.Buildings, "building"))
		fmt.Fprintf(w, "front      %s; tenancy records taken in up to number %d\n", command.Choose(st.Linked, "answers", command.Choose(st.Trouble == "", "DOES NOT ANSWER", "GIVES NO WORK")), st.After)
		if st.Trouble != "" {
			fmt.Fprintf(w, "           %s\n", st.Trouble)
		}
		if st.Clock != "" {
			fmt.Fprintf(w, "clock      %s\n", st.Clock)
		}
		if len(st.Unsent) > 0 {
			fmt.Fprintf(w, "unsent     lists or house documents of %s\n", strings.Join(st.Unsent, ", "))
		}
		if len(st.Held) > 0 {
			fmt.Fprintf(w, "held       %s: registryd countersign BUILDING --key FILE\n", strings.Join(st.Held, ", "))
		}
		if st.Problems > 0 {
			fmt.Fprintf(w, "problems   %s: registryd tenancies --problems\n", amount.Of(st.Problems, "record"))
		}
	})
}

type publishCmd struct{}

func (publishCmd) Run(s *session) error {
	st, err := s.issuer.Publish(s.ctx)
	return s.Print(st, err, func(w io.Writer) {
		fmt.Fprintf(w, "lists and house documents of %s handed over\n", amount.Of(st.Buildings, "building"))
	})
}

type auditCmd struct{}

func (auditCmd) Run(s *session) error {
	all, err := s.issuer.Audit(s.ctx)
	return table(s, all, err, "nothing was done yet", []string{"TIME", "WHO", "WHAT", "BUILDING", "SUBJECT", "REASON"}, func(a operator.Audit) []string {
		return []string{clock(&a.Time), a.Who, a.What, a.Building, a.Subject, a.Reason}
	})
}

type serveCmd struct {
	Config string `help:"The front's configuration." default:"/var/lib/gatehouse-registry/front/front.toml" placeholder:"FILE"`
}

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
