package ceremony

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire"
)

// networkShown says which interfaces are up.
func networkShown(up []string) string {
	if len(up) == 0 {
		return "none is up"
	}
	return strings.Join(up, ", ") + " up"
}

// paper is the record, in lines that fit on A4. Its sums are as sha256sum --check reads them; who was there writes with a pen.
var paper = template.Must(template.New("record").Parse(`KEY CEREMONY OF REGISTRY {{.Registry}}{{if .Trial}}          A TRIAL: NOT FOR USE{{end}}
{{.Title}}

Time             {{.Time}}
Program          registryd {{.Program.Version}}, {{.Program.Go}}
  its SHA-256    {{.Program.SHA256}}
{{with .Network}}Network          {{.}}
{{end}}{{with .Hosts}}Gateways reach   {{.}}
{{end}}
WHO WAS THERE

  name ____________________________   role ______________________________

  name ____________________________   role ______________________________

KEYS (start of the SHA-256 of each public part)
{{range .Keys}}
  {{printf "%-8s" .Role}} {{.ID}}{{end}}

Trust document {{.Trust}}

SUMS (SHA-256 of each file in the directory offline of every stick)

{{.Sums}}
Code of these sums   {{.Code}}

PROVED, FROM EACH STICK ALONE
{{range .Proved}}
  [x] {{.}}{{end}}

WHERE THE STICKS GO
{{range .Sticks}}
  stick {{.}}   sealed bag no. ______________   place ______________________________
{{end}}
  No two in one building. Who opens a bag writes down when and why.
  Next look (registryd ceremony verify) no later than {{.Next}}.

SIGNED, ON TWO COPIES OF THIS PAPER

  ________________________________    ________________________________
  date, signature                     date, signature
`))

// sheet is what the paper says.
type sheet struct {
	Registry, Title, Time, Network, Hosts, Sums, Code, Next string
	Trial                                                   bool
	Program                                                 Program
	Keys                                                    []authority.StatedKey
	Trust                                                   uint64
	Proved                                                  []string
	Sticks                                                  []int
}

// fill completes the sheet from a set that was proved.
func (s sheet) fill(set string, sums Sums, program Program, now time.Time) ([]byte, error) {
	_, trust, err := trustOf(set)
	if err != nil {
		return nil, err
	}
	stated, err := authority.ShowTrust(set)
	if err != nil {
		return nil, err
	}
	root, err := idOf(set)
	if err != nil {
		return nil, err
	}
	s.Registry, s.Trust, s.Sums, s.Code = trust.Registry, trust.Version, sums.String(), sums.Code()
	s.Keys = append([]authority.StatedKey{{Role: "root", ID: root}}, stated.Keys...)
	for _, k := range []struct {
		role   string
		public []byte
	}{{"records", trust.Records}, {"escrow", trust.Escrow}, {"desk", trust.Desk}} {
		s.Keys = append(s.Keys, authority.StatedKey{Role: k.role, ID: fmt.Sprintf("%x", wire.IDOf(k.public))})
	}
	for _, ca := range stated.CAs {
		s.Keys = append(s.Keys, authority.StatedKey{Role: "ca", ID: ca.ID})
	}
	s.Program = program
	s.Time, s.Next = now.Format(time.RFC1123Z), now.AddDate(1, 0, 0).Format("2 January 2006")
	var b bytes.Buffer
	err = paper.Execute(&b, s)
	return b.Bytes(), err
}

// sumLine is one of the record's sums, trustLine the trust document that it was made of.
var (
	sumLine   = regexp.MustCompile(`(?m)^([0-9a-f]{64})  ([A-Za-z0-9.-]+)\r?$`)
	trustLine = regexp.MustCompile(`(?m)^Trust document (\d+)\r?$`)
)

// readRecord takes sums and the trust document's version out of a record.
func readRecord(text []byte) (sums Sums, trust uint64, err error) {
	sums = Sums{}
	for _, m := range sumLine.FindAllSubmatch(text, -1) {
		var sum [32]byte
		_, _ = hex.Decode(sum[:], m[1]) // the expression has seen it
		sums[string(m[2])] = sum
	}
	if m := trustLine.FindSubmatch(text); m != nil {
		trust, err = strconv.ParseUint(string(m[1]), 10, 64)
	}
	if err != nil || len(sums) == 0 || trust == 0 {
		return nil, 0, api.Hinted("name the file ceremony.txt of the registry's ceremony", "it is no record of a key ceremony: it has no sums")
	}
	return sums, trust, nil
}
