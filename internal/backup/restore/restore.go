package restore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/backup"
	"gatehouse/internal/commission"
	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// Target is the machine that takes the place of a gateway.
type Target struct {
	Config string // path of the site file; an existing one of this gateway is kept
	// Step, if not nil, is called before each write, for tests.
	Step func()
}

// staging is the directory within the state directory in which everything is prepared; readyFile in
// it marks it as complete, and names the backup.
const (
	staging   = "restoring"
	readyFile = "ready"
)

// parts are moved into the state directory in this order: the keys, which make it a gateway, come
// last.
var parts = []string{"readers", backup.ClockFile, "grants", "keys"}

// Restore makes the machine the gateway of the backup. The daemon may wait for a site file
// meanwhile, but not serve a house. Restore refuses a machine that is a gateway already, and then
// changes nothing. An interrupted restore continues when it is called with the same backup again.
func Restore(b Backup, t Target) (Result, error) {
	if t.Step == nil {
		t.Step = func() {}
	}
	p, err := prepare(b, t)
	if err != nil {
		return Result{}, err
	}
	if !p.ready {
		if err := p.stage(); err != nil {
			return Result{}, err
		}
	}
	if err := p.place(); err != nil {
		return Result{}, fmt.Errorf("restore: %w; call it once more, it goes on from there", err)
	}
	r := p.mark.Result
	r.Config, r.KeptSite = t.Config, p.keptSite
	return r, nil
}

// placing is a restore in progress.
type placing struct {
	b        Backup
	t        Target
	site     *site.Site // the machine's future site file
	ready    bool       // staging is complete
	mark     mark
	keptSite bool
}

// mark is the content of readyFile.
type mark struct {
	Sum    string `json:"sha256"` // of the backup
	Result Result `json:"result"`
}

func (p *placing) staged(elem ...string) string {
	return p.site.Path(append([]string{staging}, elem...)...)
}

// prepare refuses a backup that must not be restored here, before anything is written.
func prepare(b Backup, t Target) (*placing, error) {
	p := &placing{b: b, t: t}
	if err := p.profiles(); err != nil {
		return nil, err
	}
	var err error
	switch p.site, err = site.Load(t.Config); {
	case err == nil:
		p.keptSite = !bytes.Equal(site.Text(p.site), b.Content.Site)
	case errors.Is(err, fs.ErrNotExist):
		p.site, err = b.site()
	default:
		return nil, socket.Hinted("mend it (gatehoused check), or move it away: then that of the backup takes its place", "%v", err)
	}
	if err != nil {
		return nil, err
	}
	if p.site.Building != b.Building || p.site.Gateway != b.Gateway {
		return nil, socket.Hinted("take the backup of this gateway, or move "+t.Config+" away where this machine is to become the other one",
			"the backup is of gateway %s/%s, and this machine is %s/%s", b.Building, b.Gateway, p.site.Building, p.site.Gateway)
	}
	raw, err := os.ReadFile(p.staged(readyFile))
	switch {
	case err == nil && json.Unmarshal(raw, &p.mark) == nil && p.mark.Sum == b.Sum:
		p.ready = true
		return p, nil
	case err == nil:
		return nil, socket.Hinted("restore that one once more, or, to begin anew with this one, move "+p.site.State+" away",
			"another backup was being restored here, and it was interrupted")
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("restore: %w", err)
	}
	return p, p.empty()
}

// empty refuses a machine that is a gateway already.
func (p *placing) empty() error {
	state := p.site.State
	away := "if this machine is really to be put back, stop the daemon and move " + state + " away"
	there, _ := keys.LoadBuildingKey(filepath.Join(state, "keys", keys.BuildingKeyFile))
	own := p.b.Content.Keys[keys.BuildingKeyFile]
	raw, err := os.ReadFile(filepath.Join(state, "keys", keys.BuildingKeyFile))
	here, made := newestOf(os.ReadFile(filepath.Join(state, "grants", backup.MarksFile))), newestOf(p.b.Content.Grants[backup.MarksFile], nil)
	switch {
	case there != nil && err == nil && !bytes.Equal(raw, own):
		return socket.Hinted(away, "this machine has the building key of another house")
	case here.after(made):
		return socket.Hinted("nothing is lost here: gatehouse status says how the gateway is; "+away,
			"the backup is older than what is here: it has list %d of %s, and this gateway list %d", made.Version, day(p.b.Made), here.Version)
	case exists(state, "keys", keys.GatewayKeyFile), exists(state, "keys", keys.BuildingKeyFile), exists(state, "keys", keys.RegistryFile):
		return socket.Hinted("nothing is lost here: gatehouse status says how the gateway is; "+away, "this machine is a gateway already, with its keys")
	}
	for _, part := range append([]string{"journal"}, parts...) {
		if list, err := os.ReadDir(filepath.Join(state, part)); err == nil && len(list) > 0 {
			return socket.Hinted("move it away: a machine that takes the place of another begins with nothing of its own", "%s is there already, and is not empty", filepath.Join(state, part))
		}
	}
	return nil
}

func day(t time.Time) string { return t.Local().Format("2006-01-02") }

// newest is the newest list of a state directory.
type newest struct {
	Epoch   uint64 `json:"epoch"`
	Version uint64 `json:"version"`
}

func (n newest) after(m newest) bool {
	return cmp.Or(cmp.Compare(n.Epoch, m.Epoch), cmp.Compare(n.Version, m.Version)) > 0
}

func newestOf(marks []byte, err error) (n newest) {
	if err != nil || json.Unmarshal(marks, &n) != nil {
		return newest{}
	}
	return n
}

// profiles writes the profiles that are needed to read the site file.
func (p *placing) profiles() error {
	from := p.b.Content.Profiles
	for name, data := range from.Files {
		if !backup.IsProfile(name) || !filepath.IsAbs(from.Dir) {
			return fmt.Errorf("%w: it has a profile that no backup has", backup.ErrDamaged)
		}
		path := filepath.Join(from.Dir, filepath.FromSlash(name))
		if exists(path) {
			continue
		}
		p.t.Step()
		if err := errors.Join(durable.MakeDir(filepath.Dir(path), 0o755), durable.WriteFile(path, data, 0o644)); err != nil {
			return fmt.Errorf("restore profiles: %w", err)
		}
	}
	return nil
}

// stage prepares everything in the staging directory.
func (p *placing) stage() error {
	p.t.Step()
	if err := errors.Join(os.RemoveAll(p.staged()), durable.MakeDir(p.staged(), 0o700)); err != nil {
		return socket.Hinted("call it by sudo", "restore: %v", err)
	}
	r, err := stager{dir: p.staged(), b: p.b, site: p.site, step: p.t.Step}.put()
	if err != nil {
		return errors.Join(err, os.RemoveAll(p.staged()))
	}
	p.mark = mark{p.b.Sum, r}
	raw, err := json.Marshal(p.mark)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	p.t.Step()
	if err := durable.WriteFile(p.staged(readyFile), raw, 0o600); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// place moves each part into the state directory, and makes the doors ask for proofs, since the
// wires are new; the site file comes last. Parts that an interrupted restore moved are no longer in
// staging.
func (p *placing) place() error {
	if err := durable.HandOver(p.site.State, p.staged()); err != nil {
		return err
	}
	for name, key := range p.b.Content.Readers {
		if file, _ := keyFileOf(p.site, name); filepath.Dir(file) != p.site.Path("readers") && !exists(file) {
			p.t.Step()
			if err := errors.Join(durable.MakeDir(filepath.Dir(file), 0o700), durable.WriteFile(file, key, 0o600), durable.HandOver(p.site.State, file)); err != nil {
				return err
			}
		}
	}
	for _, part := range parts {
		if !exists(p.staged(part)) {
			continue
		}
		p.t.Step()
		if err := durable.Rename(p.staged(part), p.site.Path(part)); err != nil {
			return err
		}
	}
	p.t.Step()
	if err := acceptance.Replace(p.site.State, acceptance.Act{At: time.Now()}); err != nil {
		return err
	}
	if err := durable.HandOver(p.site.State, p.site.Path(acceptance.File)); err != nil {
		return err
	}
	p.t.Step()
	if err := commission.Write(p.t.Config, string(p.b.Content.Site), false); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("site file: %w", err)
	}
	p.t.Step()
	return os.RemoveAll(p.staged())
}
