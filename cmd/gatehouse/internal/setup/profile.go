package setup

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/profile"
	"gatehouse/internal/socket"
)

// Profile is the command that shows and checks profiles. It needs no daemon.
type Profile struct {
	Dir string `name:"profiles" help:"Directory of the house's own profiles, which go over the built-in ones." default:"/etc/gatehouse/profiles" placeholder:"DIR"`

	List  profileListCmd  `cmd:"" help:"List the boards and readers that are known."`
	Show  profileShowCmd  `cmd:"" help:"Print a profile as it stands in its file."`
	Check profileCheckCmd `cmd:"" help:"Check a profile of your own: every fact, and every sample frame by the decoders of the daemon."`
}

func (c *Profile) set() profile.Set { return profile.Set{Dir: c.Dir} }

type profileListCmd struct{}

func (profileListCmd) Run(s *session.Session, c *Profile) error {
	all, err := c.set().List()
	return s.Print(all, err, func(w io.Writer) {
		command.Table(w, all, []string{"NAME", "KIND", "TRIED", "ORIGIN", "TITLE"}, func(e profile.Entry) []string {
			title := e.Title
			if e.Error != "" {
				first, _, _ := strings.Cut(e.Error, "\n")
				title = "can't be used: " + first
			}
			return []string{e.Name, cmp.Or(e.Type, one(e.Kind)), command.Choose(e.Tried, "yes", "no"), string(e.Origin), title}
		})
	})
}

// one returns the singular of a kind.
func one(k profile.Kind) string { return strings.TrimSuffix(string(k), "s") }

type profileShowCmd struct {
	Name string `arg:"" help:"Name of a board or reader, as the list has it."`
}

func (c profileShowCmd) Run(s *session.Session, in *Profile) error {
	set := in.set()
	for _, k := range []profile.Kind{profile.Boards, profile.Readers} {
		raw, _, err := set.Text(k, c.Name)
		if err != nil {
			continue
		}
		if !s.JSON {
			_, err = s.Out.Write(raw)
			return err
		}
		v, _, err := parseProfile(raw)
		if err != nil {
			return err
		}
		return s.Encode(v)
	}
	return socket.Hinted("gatehouse profile list names them all", "no profile %q", c.Name)
}

type profileCheckCmd struct {
	File string `arg:"" help:"The TOML file."`
}

// checked is the result of a check.
type checked struct {
	Name    string           `json:"name"`
	Kind    profile.Kind     `json:"kind"`
	OK      bool             `json:"ok"`
	Samples []profile.Result `json:"samples,omitempty"`
	Notes   []string         `json:"notes,omitempty"` // what is left to do
}

func (c profileCheckCmd) Run(s *session.Session) error {
	raw, err := profile.ReadFile(c.File)
	if err != nil {
		return err
	}
	v, got, err := parseProfile(raw)
	if err != nil {
		return socket.Hinted("docs/profiles.md explains every key", "%s: %v", c.File, err)
	}
	switch p := v.(type) {
	case profile.Reader:
		got.Samples, err = profile.Check(p)
	case profile.Board:
		got.Notes = leftOpen(p)
	}
	if name := got.Name + ".toml"; filepath.Base(c.File) != name {
		got.Notes = append(got.Notes, "it is used as "+name+" only: a profile's file is called as the profile")
	}
	got.OK = err == nil
	if printed := s.Print(got, nil, got.print); printed != nil {
		return printed
	}
	if err != nil {
		return socket.Hinted("mend the settings or the sample: a profile whose samples do not decode is not used", "%s: %v", c.File, err)
	}
	return nil
}

func parseProfile(raw []byte) (v any, got checked, err error) {
	if got.Kind, err = profile.KindOf(raw); err != nil {
		return nil, got, err
	}
	if got.Kind == profile.Boards {
		b, err := profile.ParseBoard(raw)
		got.Name = b.Name
		return b, got, err
	}
	r, err := profile.ParseReader(raw)
	got.Name = r.Name
	return r, got, err
}

// leftOpen lists what the site file must say because the board's profile does not.
func leftOpen(b profile.Board) (notes []string) {
	if len(b.Relays) == 0 {
		notes = append(notes, "no [[relay]]: the site file must say pull for each relay")
	}
	for _, o := range b.Outputs {
		if o.After == "kept" {
			note := "with " + o.With + " a relay keeps its state when the daemon ends"
			if o.Remedy != "" {
				note += "; remedy: " + o.Remedy
			}
			notes = append(notes, note)
		}
	}
	if b.Clock == nil || !b.Clock.Present {
		notes = append(notes, "no clock that is known to survive a power failure")
	}
	return notes
}

func (c checked) print(w io.Writer) {
	for i, r := range c.Samples {
		if r.OK {
			fmt.Fprintf(w, "sample %d ok     %s: %s\n", i+1, r.Title, r.Got)
		} else {
			fmt.Fprintf(w, "sample %d WRONG  %s: want %s, got %s\n", i+1, r.Title, r.Want, r.Got)
		}
	}
	for _, n := range c.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	if c.OK {
		fmt.Fprintf(w, "%s: this %s can be used\n", c.Name, one(c.Kind))
	}
}
