package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

type gatewayCmd struct {
	Add    gatewayAddCmd    `cmd:"" help:"Make the one-time token with which a gateway enrols."`
	List   gatewayListCmd   `cmd:"" help:"List gateways, their certificates and tokens."`
	Remove gatewayRemoveCmd `cmd:"" help:"Take a gateway out of its building: it is cut off at once."`
}

type gatewayAddCmd struct {
	District   string   `required:"" help:"Id of the district." placeholder:"ID"`
	Town       string   `required:"" help:"Id of the town." placeholder:"ID"`
	Building   string   `required:"" help:"Id of the building, unique within the registry." placeholder:"ID"`
	Gateway    string   `required:"" help:"Id of the gateway, unique within the building." placeholder:"ID"`
	Flat       []string `help:"A flat that check-ins may name; without any, all may be named." placeholder:"FLAT"`
	NoticeDays int      `help:"Days of notice where the landlord alone ends a tenancy." placeholder:"DAYS"`
	Hours      int      `help:"The token is good for so long, at most 720." default:"72"`
	Replace    bool     `help:"Another machine takes the place of an enrolled one."`
	OldToken   bool     `help:"A token without a check, for a gateway whose program is older and refuses GH2-."`
	Label      string   `help:"Where a label to print is written, HTML: a telephone's camera opens it at the house's page with the token filled in." placeholder:"FILE"`
	Page       string   `help:"Where the house's page is reached from a telephone in the house, for the label." default:"https://gatehouse.local" placeholder:"URL"`
}

func (c gatewayAddCmd) Run(s *session) error {
	if c.Hours < 1 || c.Hours > 30*24 {
		return socket.Hinted("from 1 to 720", "a token for %s", amount.Of(c.Hours, "hour"))
	}
	if u, err := url.Parse(c.Page); c.Label != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return socket.Hinted("as https://gatehouse.local or https://192.168.1.20", "--page %s is no address of a page", c.Page)
	}
	if above, err := os.Stat(filepath.Dir(c.Label)); c.Label != "" && (err != nil || !above.IsDir()) {
		return socket.Hinted("name a file in a directory that is there", "--label %s: there is no such directory; no token was made", c.Label)
	}
	t, err := s.issuer.AddGateway(s.ctx, operator.NewGateway{
		Place: api.Place{District: c.District, Town: c.Town, Building: c.Building, Gateway: c.Gateway},
		Flats: c.Flat, NoticeDays: c.NoticeDays, Hours: c.Hours, Replace: c.Replace, OldToken: c.OldToken})
	if err := s.Print(t, err, func(w io.Writer) {
		fmt.Fprintln(w, t.Text)
		fmt.Fprintf(s.Err, "give it to the landlord by hand, for gatehouse enrol or the house's page; good until %s, once\n", clock(&t.Expires))
	}); err != nil || c.Label == "" {
		return err
	}
	// The token is made and shown: a label that can't be written takes it from nobody.
	if err := (label{Building: c.Building, Gateway: c.Gateway, Until: clock(&t.Expires)}).write(c.Label, c.Page, t.Text); err != nil {
		return socket.Hinted("the token above is good all the same; for a label name another file, and a new token takes its place", "%v", err)
	}
	if !s.JSON {
		fmt.Fprintf(s.Err, "%s is a label to print, as secret as the token\n", c.Label)
	}
	return nil
}

type gatewayListCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
}

func (c gatewayListCmd) Run(s *session) error {
	all, err := s.issuer.Gateways(s.ctx, c.Building)
	at := func(t *time.Time, none string) string {
		if t == nil {
			return none
		}
		return clock(t)
	}
	return table(s, all, err, "none; registryd gateway add makes a token for one", []string{"GATEWAY", "ENROLLED", "CERTIFICATE UNTIL", "TOKEN UNTIL", "DOORS"},
		func(g operator.Gateway) []string {
			return []string{strings.Join([]string{g.District, g.Town, g.Building, g.Gateway}, "/"), at(g.Enrolled, "no"), at(g.Certificate, ""), at(g.Token, ""),
				strings.Join(g.Doors, " ")}
		})
}

type gatewayRemoveCmd struct {
	Building string `arg:"" help:"Id of the building."`
	Gateway  string `arg:"" help:"Id of the gateway."`
}

func (c gatewayRemoveCmd) Run(s *session) error {
	d, err := s.issuer.RemoveGateway(s.ctx, c.Building, c.Gateway)
	return s.Print(d, err, func(w io.Writer) {
		fmt.Fprintf(w, "%s/%s is out of its building%s\n", c.Building, c.Gateway, command.Choose(d.Sent, " and cut off", "; "+d.Hint))
	})
}

type buildingKeyCmd struct {
	Building string `arg:"" help:"Id of the building."`
	Key      string `required:"" help:"escrow.key, on its stick." placeholder:"FILE"`
	Out      string `required:"" help:"New file, for the directory of keys of the new gateway." placeholder:"FILE"`
}

func (c buildingKeyCmd) Run(s *session) error {
	private, err := keys.LoadSealKey(c.Key)
	if err != nil {
		return socket.Hinted("--key names escrow.key, which registryd init wrote into the offline directory", "%v", err)
	}
	e, err := s.issuer.Escrow(s.ctx, c.Building)
	if err != nil {
		return err
	}
	key, err := keys.UnsealBuildingKey(private, e.Address, e.Sealed)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(c.Out); err == nil {
		return socket.Hinted("name another file", "%s is there already", c.Out)
	}
	err = keys.SaveBuildingKey(c.Out, key)
	return s.Print(map[string]any{"number": e.Number, "file": c.Out}, err, func(w io.Writer) {
		fmt.Fprintf(w, "key %d of building %s written; put it into STATE/keys of the new gateway before gatehouse enrol, then delete it\n", e.Number, c.Building)
	})
}
