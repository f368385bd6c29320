package doctor

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
	"gatehouse/internal/durable"
)

// The files of a bundle have only the fields named here: no text that a person wrote, no id that a
// person chose, no path, and no sentence of the daemon's, which may contain any of them. Doors are
// numbers.

// outline is the result of a check.
type outline struct {
	Name  string `json:"name"`
	State state  `json:"state"`
}

// condition is the state of the gateway.
type condition struct {
	Tool, Daemon string
	Started      time.Time
	Clock        string
	Trusted      bool
	Fire         *control.Fire `json:",omitempty"`
	List         uint64
	Issued       *time.Time `json:",omitempty"`
	Copies       int
	Durable      bool
	Registry     string // state of the connection
	Problem      string // the reason's name
	Newer        uint64 // list that is known and not here
	Waiting      int    // records
	Doors        []doorway
	ToDo         int
}

// doorway is one door and its devices.
type doorway struct {
	Door     int
	Works    bool // its lock obeys
	State    string
	Devices  []hanging
	Egress   string   `json:",omitempty"`
	Lock     string   `json:",omitempty"`
	Pull     string   `json:",omitempty"`
	Readers  []string `json:",omitempty"` // by their types
	Contact  bool
	ExitLine bool
}

type hanging struct {
	Type   string
	Online bool
	Fault  string `json:",omitempty"`
}

// happened is one entry of the log.
type happened struct {
	Time                         time.Time
	Clock, Kind, Outcome, Reason string
	Door                         int `json:",omitempty"`
	Count                        uint64
}

// told are the kinds of entries that a helper needs: only about machines.
var told = []string{"boot", "stop", "site", "fault", "offline", "online", "clock", "gap", "damaged", "journal", "epoch", "space", "refused", "uplink", "list_applied", "authority"}

// newest is the number of entries in a bundle.
const newest = 500

// bundle writes the findings into a gzipped tar file.
func (f *seen) bundle(s *session.Session, path string) error {
	parts := map[string]any{"hardware.json": f.report(s.Version)}
	var all []outline
	for _, k := range f.checks {
		all = append(all, outline{k.Name, k.State})
	}
	parts["checks.json"] = all
	if f.status != nil {
		parts["gateway.json"] = f.condition(s.Version)
		entries, err := f.entries(s)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		parts["log.json"] = entries
	}
	raw, err := pack(parts)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(path, raw, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func (f *seen) condition(tool string) condition {
	st := f.status
	c := condition{Tool: tool, Daemon: st.Version, Started: st.Started.Truncate(time.Second), Clock: st.Clock.Quality, Trusted: st.Clock.Trusted, Fire: st.Fire,
		List: st.Grants.Version, Issued: st.Grants.Issued, Copies: st.Grants.Copies, Durable: st.Journal.Degraded == "", Registry: "none", ToDo: len(st.Problems)}
	if u := st.Uplink; u != nil {
		c.Registry, c.Problem, c.Newer, c.Waiting = u.State, u.Problem, u.List, u.Records
	}
	for i, d := range st.Doors {
		w := doorway{Door: i + 1, Works: d.Lock == "ok", State: d.State}
		for _, dev := range d.Devices {
			w.Devices = append(w.Devices, hanging{dev.Type, dev.Online, dev.Fault})
		}
		c.Doors = append(c.Doors, f.wired(w, d.ID))
	}
	return c
}

// wired adds what the site file says about a door.
func (f *seen) wired(w doorway, id string) doorway {
	if f.site == nil {
		return w
	}
	for _, d := range f.site.Doors {
		if d.ID != id {
			continue
		}
		w.Egress, w.Lock, w.Pull, w.Contact, w.ExitLine = d.Egress, d.Lock, d.Relay.Pull, d.Contact != nil, d.Exit != nil
		for _, r := range d.Readers {
			w.Readers = append(w.Readers, r.Type)
		}
	}
	return w
}

func (f *seen) entries(s *session.Session) ([]happened, error) {
	doors := map[string]int{}
	for i, d := range f.status.Doors {
		doors[d.ID] = i + 1
	}
	ctx, cancel := context.WithTimeout(s.Ctx, control.AnswerWithin)
	defer cancel()
	all := []happened{}
	err := s.Client.Log(ctx, control.LogQuery{Last: newest}, func(e control.LogEntry) error {
		if slices.Contains(told, e.Kind) {
			all = append(all, happened{e.Time.Truncate(time.Second), e.Clock, e.Kind, e.Outcome, e.Reason, doors[e.Door], e.Count})
		}
		return nil
	})
	return all, cmp.Or(err, ctx.Err())
}

// pack makes one file of each part.
func pack(parts map[string]any) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	files := tar.NewWriter(zip)
	for _, name := range []string{"checks.json", "hardware.json", "gateway.json", "log.json"} {
		v, ok := parts[name]
		if !ok {
			continue
		}
		raw, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		if err := files.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(raw))}); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		if _, err := files.Write(raw); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := files.Close(); err != nil {
		return nil, fmt.Errorf("write bundle: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("write bundle: %w", err)
	}
	return out.Bytes(), nil
}
