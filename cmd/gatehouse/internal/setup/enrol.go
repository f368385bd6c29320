package setup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/enrol"
	"gatehouse/internal/input"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Enrol is the command that enrols the gateway with a registry.
type Enrol struct {
	Config string `help:"The site file." default:"/etc/gatehouse/site.toml" aliases:"site" placeholder:"FILE"`
	Token  string `help:"A file with the token; without it, the token is asked for." placeholder:"FILE"`
}

// maxSkew is the error of a clock from which a remark is made.
const maxSkew = 5 * time.Minute

// Run enrols the gateway with a registry, with the one-time token that its operator gave. Calling
// it again after an interruption does no harm.
func (c Enrol) Run(s *session.Session) error {
	site, err := loadSite(c.Config, "; docs/site-file.md has one to begin with")
	if err != nil {
		return err
	}
	token, err := c.token(s)
	if err != nil {
		return err
	}
	byDaemon := serves(s, site)
	var e control.Enrolled
	if byDaemon {
		e, err = enrolByDaemon(s, token)
	} else {
		e, err = enrolHere(s, site, token)
	}
	if err != nil {
		return err
	}
	return s.Print(e, nil, func(w io.Writer) { writeEnrolled(w, e, byDaemon) })
}

// serves reports whether a daemon serves this house and has no registry yet: then the daemon
// enrols, so that the caller needs no rights over its keys, and restarts with them.
func serves(s *session.Session, house *site.Site) bool {
	st, err := s.Client.Status(s.Ctx)
	return err == nil && st.Building == house.Building && st.Gateway == house.Gateway && st.Uplink == nil
}

func enrolByDaemon(s *session.Session, token wire.Token) (e control.Enrolled, err error) {
	text, err := token.Text()
	if err != nil {
		return e, err
	}
	return control.SettingUp(s.Client).Enrol(s.Ctx, control.EnrolRequest{Token: text})
}

func enrolHere(s *session.Session, site *site.Site, token wire.Token) (e control.Enrolled, err error) {
	o := enrol.Options{Token: token, Dir: filepath.Join(site.State, "keys"), Building: site.Building, Gateway: site.Gateway,
		Software: "gatehouse " + s.Version, Doors: site.DoorIDs()}
	got, err := enrol.Enrol(s.Ctx, o)
	if failed := durable.HandOver(site.State, o.Dir); err == nil { // also after a refusal: the daemon may be asked the next time
		err = failed
	}
	if err != nil {
		return e, err
	}
	return control.Enrolled{Registry: got.Registry.Name, Building: site.Building, Gateway: site.Gateway, Directory: o.Dir, BuildingKey: got.BuildingKey,
		Alone: len(got.Registry.House.Gateways) == 1, Expires: got.Expires.In(site.Zone()), Seconds: int64(got.Skew / time.Second)}, nil
}

// loadSite reads the site file; more is a further hint where there is none.
func loadSite(path, more string) (*site.Site, error) {
	s, err := site.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = socket.Hinted("say where the site file is with --config"+more, "%v", err)
	}
	return s, err
}

// writeEnrolled prints the result.
func writeEnrolled(w io.Writer, e control.Enrolled, byDaemon bool) {
	fmt.Fprintf(w, "gateway %s of building %s is known to registry %s\n", e.Gateway, e.Building, e.Registry)
	switch {
	case e.BuildingKey:
		fmt.Fprintln(w, "  the building's key is here, and a copy for emergencies is sealed at the registry")
	case e.Alone:
		fmt.Fprintf(w, "  the building's key is not here, and no other gateway of the building could send it: the registry's operator takes it from escrow (registryd building-key); put it to %s; until then no card opens here\n",
			filepath.Join(e.Directory, keys.BuildingKeyFile))
	default:
		fmt.Fprintln(w, "  the building's key comes from another gateway of the building as soon as both are connected; until then no card opens here")
	}
	fmt.Fprintf(w, "  its certificate is good until %s and is renewed by the daemon\n", session.Local(e.Expires))
	if skew := time.Duration(e.Seconds) * time.Second; skew.Abs() > maxSkew {
		fmt.Fprintf(w, "  the clock of this machine differs by %s from the registry's: set it, or wait for the time server\n", amount.Span(skew.Abs()))
	}
	if byDaemon {
		fmt.Fprintln(w, "the daemon begins anew with its keys, by itself")
		return
	}
	fmt.Fprintln(w, "start the daemon again if it runs: it reads its keys at the start")
}

// mostToken is the most bytes that are read for a token, over ten times one.
const mostToken = 4096

// token reads the token from a file, or line by line until it is whole: never from the command
// line, where every user of the machine could read it.
func (c Enrol) token(s *session.Session) (token wire.Token, err error) {
	hint := "the registry's operator makes one: registryd gateway add"
	if c.Token != "" {
		b, err := input.ReadFile(s.Ctx, c.Token, mostToken)
		if err != nil {
			return token, socket.Hinted(hint, "read token: %v", err)
		}
		if token, err = wire.ParseToken(string(b)); err != nil {
			return token, socket.Hinted(hint, "%s: %v", c.Token, err)
		}
		return token, nil
	}
	fmt.Fprintln(s.Err, "the token that the registry's operator gave, then an empty line:")
	var text string
	err = errors.New("no token was given")
	for in := bufio.NewScanner(io.LimitReader(s.In, mostToken)); err != nil && in.Scan() && in.Text() != ""; {
		text += in.Text()
		token, err = wire.ParseToken(text)
	}
	if err != nil {
		return token, socket.Hinted(hint, "%v", err)
	}
	return token, nil
}

// Address is the group of commands about the registry's addresses.
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
	site, err := loadSite(c.Config, "")
	if err != nil {
		return "", "", err
	}
	return site.State, filepath.Join(site.State, "keys"), nil
}

func (c siteKeys) show(s *session.Session, keys string) error {
	a, err := enrol.LoadAddresses(keys)
	return s.Print(a, err, func(w io.Writer) {
		all := slices.Clone(a.Broker)
		for _, host := range a.Enrol {
			all = append(all, "https://"+host)
		}
		for _, address := range all {
			fmt.Fprintln(w, address+command.Choose(slices.Contains(a.Added, address), "  added here", ""))
		}
	})
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

// Run adds addresses; a running daemon notices them by itself.
func (c addressAddCmd) Run(s *session.Session) error { return c.change(s, c.URL, enrol.AddAddress) }

type addressRemoveCmd struct {
	siteKeys
	URL []string `arg:"" help:"As gatehouse address list shows it."`
}

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
	if err := durable.HandOver(state, keys); err != nil {
		return err
	}
	return c.show(s, keys)
}
