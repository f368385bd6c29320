package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
)

type snapshotCmd struct {
	List   snapshotListCmd   `cmd:"" help:"Show what is kept of which gateway, and how old it is."`
	Export snapshotExportCmd `cmd:"" help:"Write a gateway's newest backup into a file, for a stick."`
	Drop   snapshotDropCmd   `cmd:"" help:"Forget the backups of a gateway, as when it was taken out of its building for good."`
}

type snapshotListCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
}

func (c snapshotListCmd) Run(s *session) error {
	all, err := s.front.Snapshots(s.ctx, c.Building)
	return table(s, all, err, "none; a gateway sends its backup each night once its landlord has made a recovery code",
		[]string{"GATEWAY", "", "MADE", "STORED", "NAMED LAST", "FETCHED", "SIZE"}, func(n api.Snapshot) []string {
			at := func(t time.Time) string {
				if t.IsZero() {
					return ""
				}
				return clock(&t)
			}
			what := command.Choose(n.Turn == 0, "newest", "before")
			return []string{n.Place.Address(), what + command.Choose(n.Removed, ", REMOVED", ""), at(n.Made), at(n.Stored), at(n.Heard), at(n.Fetched),
				fmt.Sprintf("%d KB", (n.Size+999)/1000)}
		})
}

type snapshotExportCmd struct {
	Building string `arg:"" help:"Id of the building."`
	Gateway  string `arg:"" help:"Id of the gateway."`
	To       string `required:"" help:"A new file, or a directory, as that of a stick." placeholder:"FILE"`
	Before   bool   `help:"The one before the newest."`
}

// Run writes a backup as its gateway sent it.
func (c snapshotExportCmd) Run(s *session) error {
	turn := 0
	if c.Before {
		turn = 1
	}
	data, err := s.front.Snapshot(s.ctx, c.Building, c.Gateway, turn)
	if err != nil {
		return err
	}
	path := c.To
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "gatehouse-"+c.Building+"-"+c.Gateway+".backup")
	}
	if _, err := os.Lstat(path); err == nil {
		return socket.Hinted("name another file", "%s is there already", path)
	}
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return socket.Hinted("name a directory that is there and that you may write", "%v", err)
	}
	return s.Print(map[string]any{"file": path, "size": len(data)}, nil, func(w io.Writer) {
		fmt.Fprintf(w, "%s is written; the landlord restores it by gatehouse restore --from, with the recovery code\n", path)
	})
}

type snapshotDropCmd struct {
	Building string `arg:"" help:"Id of the building."`
	Gateway  string `arg:"" help:"Id of the gateway."`
}

func (c snapshotDropCmd) Run(s *session) error {
	err := s.front.DropSnapshots(s.ctx, api.Place{Building: c.Building, Gateway: c.Gateway})
	return s.Print(map[string]any{"dropped": true}, err, func(w io.Writer) {
		fmt.Fprintf(w, "no snapshot of %s/%s is kept any more; where it is enrolled it sends the next one within a day\n", c.Building, c.Gateway)
	})
}
