package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"gatehouse/cmd/registryd/internal/retention"
	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
)

type statusCmd struct{}

func (statusCmd) Run(s *session, forgetting *retention.Session) error {
	st, err := s.front.Status(s.ctx)
	return s.Print(st, err, func(w io.Writer) {
		fmt.Fprintf(w, "registry   %s (registryd %s), since %s\n", st.Registry, st.Version, clock(&st.Started))
		fmt.Fprintf(w, "broker     %s, %s\n", st.Broker, command.Choose(st.Linked, "connected", "NOT CONNECTED"))
		fmt.Fprintf(w, "issuer     %s; newest tenancy record %d; trust document %d\n", command.Choose(st.Issuer, "asks for work", "does not ask for work"), st.LastWork, st.Trust)
		fmt.Fprintf(w, "gateways   %d of %d online, in %s\n", st.Online, st.Gateways, amount.Of(st.Buildings, "building"))
		fmt.Fprintf(w, "entries    %d stored, in %s, %.1f MB%s; the disk is %d %% full\n", st.Entries, amount.Of(st.Batches, "batch"), float64(st.Bytes)/1e6,
			command.Choose(st.Full == 0, "", fmt.Sprintf(", %d %% of max_mb", st.Full)), st.Disk)
		fmt.Fprintf(w, "messages   %d waiting, %d dropped (queue full), %d refused\n", st.Queued, st.Dropped, st.Refused)
		fmt.Fprintf(w, "backup     %s\n", backupState(st.Backup, st.PutBack))
		fmt.Fprintf(w, "erasing    %s\n", st.Retention)
		for _, p := range st.Problems {
			fmt.Fprintf(w, "problem    %s\n", p)
		}
		for _, r := range st.Remarks {
			fmt.Fprintf(w, "to do      %s (registryd restored --done puts this away)\n", r.Text)
		}
		own, err := s.issuer.Status(s.ctx)
		if err != nil {
			fmt.Fprintf(w, "issuer     can't be asked what is to do there: %v\n", err)
			return
		}
		overdue, err := forgetting.Overdue()
		if err != nil {
			overdue = fmt.Sprintf("it can't be found out which gateways have confirmed orders to forget: %v", err)
		}
		for _, line := range append(own.Lines, overdue) {
			if line != "" {
				fmt.Fprintf(w, "to do      %s\n", line)
			}
		}
	})
}

// backupState describes the age of the newest backup.
func backupState(at, putBack *time.Time) string {
	if putBack != nil && (at == nil || at.Before(*putBack)) {
		return fmt.Sprintf("none since a copy was put back on %s: what was stored since then is in no copy yet; registryd backup DIRECTORY makes one", clock(putBack))
	}
	if at == nil {
		return "NONE that this database knows of: gateways keep longer what they have sent; registryd backup DIRECTORY makes one"
	}
	days := int(time.Since(*at).Hours() / 24)
	return clock(at) + command.Choose(days < 8, "", ", "+amount.Of(days, "day")+" ago: registryd backup DIRECTORY makes another one")
}

type gatewaysCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
}

func (c gatewaysCmd) Run(s *session) error {
	all, err := s.front.Gateways(s.ctx, c.Building)
	none := command.Choose(c.Building == "", "none; registryd gateway add makes a token for one",
		"none of that building has enrolled; registryd gateway list shows whose token waits")
	return table(s, all, err, none, []string{"GATEWAY", "STATE", "LAST HEARD", "STORED", "BEHIND", "RECORDS", "LIST", "ALARMS 24 h"}, func(g api.Gateway) []string {
		return []string{g.District + "/" + g.Town + "/" + g.Building + "/" + g.Gateway, state(g), clock(g.Heard), fmt.Sprint(g.Total), fmt.Sprint(g.Behind),
			fmt.Sprint(g.Records), listState(g), fmt.Sprint(g.Alarms)}
	})
}

func state(g api.Gateway) string {
	switch {
	case !g.Member:
		return "removed"
	case g.Online:
		return "online"
	case g.Heard == nil:
		return "never heard"
	}
	return "offline"
}

// listState describes how far the newest list got.
func listState(g api.Gateway) string {
	switch {
	case g.List == 0:
		return "none"
	case g.Applied == g.List:
		return fmt.Sprintf("%d proved", g.List)
	}
	if g.Refuses != "" {
		return fmt.Sprintf("%d NOT TAKEN WHOLE (%s): registryd status", g.List, g.Refuses)
	}
	text := fmt.Sprintf("%d not proved since %s", g.List, clock(g.ListAt))
	if g.Sent == g.List {
		text += ", sent"
	}
	if g.Applied > 0 {
		text += fmt.Sprintf(", %d proved", g.Applied)
	}
	return text
}

type vkeysCmd struct {
	Building string `help:"Also the logs of the gateways of this building." placeholder:"ID"`
}

func (c vkeysCmd) Run(s *session) error {
	keys, err := s.front.VKeys(s.ctx, c.Building)
	return s.Print(keys, err, func(w io.Writer) {
		for _, k := range append(slices.Clone(keys.Witnesses), keys.Logs...) {
			fmt.Fprintln(w, k)
		}
		if c.Building != "" && len(keys.Logs) == 0 {
			fmt.Fprintln(s.Err, "no gateway of that building has stored entries; registryd gateways lists buildings")
		}
	})
}

type alarmsCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
	Limit    int    `help:"At most so many." default:"100"`
}

func (c alarmsCmd) Run(s *session) error {
	all, err := s.front.Alarms(s.ctx, c.Building, c.Limit)
	return table(s, all, err, "none", []string{"TIME", "GATEWAY", "DOOR", "ALARM", ""}, func(a api.Alarm) []string {
		return []string{clock(&a.Time), a.Building + "/" + a.Gateway, a.Door, happened(a.Kind, a.Outcome, a.Reason), command.Choose(a.Stored, "", "entry on its way")}
	})
}
