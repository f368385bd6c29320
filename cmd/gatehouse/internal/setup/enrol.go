package setup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/enrol"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Enrol is the command that makes the gateway known to a registry.
type Enrol struct {
	Config string `help:"The site file." default:"/etc/gatehouse/site.toml" aliases:"site" placeholder:"FILE"`
	Token  string `help:"A file with the token; without it, the token is asked for." placeholder:"FILE"`
}

// enrolled tells what enrol did.
type enrolled struct {
	Registry    string    `json:"registry"`
	Building    string    `json:"building"`
	Gateway     string    `json:"gateway"`
	Directory   string    `json:"folder"`
	BuildingKey bool      `json:"building_key"`
	Expires     time.Time `json:"certificate_expires"`
	Seconds     int64     `json:"clock_behind_s"` // this machine's clock behind the registry's; below zero: ahead
}

// maxSkew is the error of a clock that is worth a remark.
const maxSkew = 5 * time.Minute

// Run makes the gateway known to a registry, with the one-time token that its
// operator gave. It does no harm to call it again after it was interrupted.
func (c Enrol) Run(s *session.Session) error {
	site, err := site.Load(c.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return socket.Hinted("say where the site file is with --config; docs/site-file.md has one to begin with", "%v", err)
	}
	if err != nil {
		return err
	}
	token, err := c.token(s)
	if err != nil {
		return err
	}
	o := enrol.Options{Token: token, Dir: filepath.Join(site.State, "keys"), Building: site.Building, Gateway: site.Gateway,
		Software: "gatehouse " + s.Version}
	for _, d := range site.Doors {
		o.Doors = append(o.Doors, d.ID)
	}
	got, err := enrol.Enrol(s.Ctx, o)
	if err != nil {
		return err
	}
	if err := handOver(site.State, o.Dir); err != nil {
		return err
	}
	e := enrolled{Registry: got.Registry.Name, Building: site.Building, Gateway: site.Gateway, Directory: o.Dir,
		BuildingKey: got.BuildingKey, Expires: got.Expires.UTC(), Seconds: int64(got.Skew / time.Second)}
	return s.Print(e, nil, func(w io.Writer) { writeEnrolled(w, e) })
}

func writeEnrolled(w io.Writer, e enrolled) {
	fmt.Fprintf(w, "gateway %s of building %s is known to registry %s\n", e.Gateway, e.Building, e.Registry)
	if e.BuildingKey {
		fmt.Fprintln(w, "  the building's key is here, and a copy for emergencies is sealed at the registry")
	} else {
		fmt.Fprintln(w, "  the building's key comes from another gateway of the building as soon as both are connected; until then no card opens here")
	}
	fmt.Fprintf(w, "  its certificate is good until %s and is renewed by the daemon\n", session.Local(e.Expires))
	if skew := time.Duration(e.Seconds) * time.Second; skew.Abs() > maxSkew {
		fmt.Fprintf(w, "  the clock of this machine differs by %s from the registry's: set it, or wait for the time server\n", amount.Span(skew.Abs()))
	}
	fmt.Fprintln(w, "start the daemon again if it runs: it reads its keys at the start")
}

// token comes from a file, or line by line until it is whole: never by command
// line, where every user of the machine could read it.
func (c Enrol) token(s *session.Session) (wire.Token, error) {
	hint := "the registry's operator makes one: registryd gateway add"
	if c.Token != "" {
		b, err := os.ReadFile(c.Token)
		if err != nil {
			return wire.Token{}, socket.Hinted(hint, "read token: %v", err)
		}
		token, err := wire.ParseToken(string(b))
		if err != nil {
			return token, socket.Hinted(hint, "%s: %v", c.Token, err)
		}
		return token, nil
	}
	fmt.Fprintln(s.Err, "the token that the registry's operator gave, then an empty line:")
	const most = 4096 // bytes, over ten times a token
	var text string
	in := bufio.NewScanner(io.LimitReader(s.In, most))
	for in.Scan() && in.Text() != "" {
		text += in.Text()
		if token, err := wire.ParseToken(text); err == nil {
			return token, nil
		}
	}
	if text == "" {
		return wire.Token{}, socket.Hinted(hint, "no token was given")
	}
	token, err := wire.ParseToken(text)
	if err != nil {
		return token, socket.Hinted(hint, "%v", err)
	}
	return token, nil
}
