package setup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/enrol"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// Address is the command that shows and changes where the registry is.
type Address struct {
	List   addressListCmd   `cmd:"" help:"Show where this gateway looks for its registry."`
	Add    addressAddCmd    `cmd:"" help:"Add where the registry is now: it has moved, and this gateway can't hear so from it."`
	Remove addressRemoveCmd `cmd:"" help:"Take out an address that was added here."`
}

// siteKeys finds the directory of keys.
type siteKeys struct {
	Config string `help:"The site file." default:"/etc/gatehouse/site.toml" aliases:"site" placeholder:"FILE"`
}

func (c siteKeys) dirs() (state, keys string, err error) {
	site, err := site.Load(c.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", socket.Hinted("say where the site file is with --config", "%v", err)
	}
	if err != nil {
		return "", "", err
	}
	return site.State, filepath.Join(site.State, "keys"), nil
}

// show prints what is known now.
func (c siteKeys) show(s *session.Session, keys string) error {
	a, err := enrol.LoadAddresses(keys)
	return s.Print(a, err, func(w io.Writer) {
		for _, address := range a.Broker {
			writeAddress(w, address, a.Added)
		}
		for _, host := range a.Enrol {
			writeAddress(w, "https://"+host, a.Added)
		}
	})
}

func writeAddress(w io.Writer, address string, added []string) {
	if slices.Contains(added, address) {
		address += "  added here"
	}
	fmt.Fprintln(w, address)
}

type addressListCmd struct{ siteKeys }

// Run lists addresses in the order in which they are tried.
func (c addressListCmd) Run(s *session.Session) error {
	_, keys, err := c.dirs()
	if err != nil {
		return err
	}
	return c.show(s, keys)
}

type addressAddCmd struct {
	siteKeys
	URL []string `arg:"" help:"https://host:port of enrolment, mqtts://host:port of the broker."`
}

// Run adds addresses; a daemon that runs takes them by itself.
func (c addressAddCmd) Run(s *session.Session) error { return c.change(s, c.URL, enrol.AddAddress) }

type addressRemoveCmd struct {
	siteKeys
	URL []string `arg:"" help:"As gatehouse address list shows it."`
}

// Run takes addresses out.
func (c addressRemoveCmd) Run(s *session.Session) error {
	return c.change(s, c.URL, enrol.RemoveAddress)
}

func (c siteKeys) change(s *session.Session, urls []string, do func(dir, url string) error) error {
	state, keys, err := c.dirs()
	if err != nil {
		return err
	}
	for _, url := range urls {
		if err := do(keys, url); err != nil {
			return err
		}
	}
	if err := handOver(state, keys); err != nil {
		return err
	}
	return c.show(s, keys)
}
