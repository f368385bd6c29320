package resident

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire"
)

func teller(t *testing.T, l text.Language) Teller {
	t.Helper()
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	return Teller{words, l}
}

// held is what a gateway might have: an entry of a good clock, one that was made within two hours, and acts.
func held() control.Mine {
	at := time.Date(2026, 11, 29, 18, 30, 0, 0, time.FixedZone("CST", 8*3600))
	early, late, since := at.Add(time.Hour), at.Add(3*time.Hour), at.AddDate(0, -1, 0)
	return control.Mine{Building: "lane-7", Gateway: "gw1", Zone: "Asia/Shanghai", Time: at.Add(24 * time.Hour), Clock: "ntp", WhoDays: 30,
		Tenancy: control.Tenancy{ID: "5f0c21aa", Flat: "3B", Label: "=HYPERLINK(1)", State: "active", Doors: []string{"front", "bike-shed"}, Since: &since, OwnPIN: true,
			Cards: []control.TenancyCard{{Number: 2, State: "active", Since: &since}}},
		Entries: []control.OwnEntry{
			{ID: "e12:3", Time: at, Clock: "ntp", Kind: "access", Outcome: "granted", Reason: "granted", Door: "front", Direction: "in", Method: "card and PIN"},
			{ID: "e12:4", Time: at.AddDate(-50, 0, 0), Clock: "unset", Earliest: &early, Latest: &late, Kind: "access", Outcome: "denied", Reason: "wrong_door", Door: "front"},
			{ID: "e12:5", Time: at, Clock: "unset", Latest: &late, Kind: "repeated", Count: 4, Door: "bike-shed"},
		},
		Acts: []control.OwnEntry{
			{ID: "e12:6", Time: at, Clock: "ntp", Kind: "tenancy", Outcome: "refused", Reason: "wrong_pin", By: "helper-7"},
			{ID: "e12:7", Time: at, Clock: "ntp", Kind: "tenancy", Outcome: "done", Reason: "own_entries", By: "resident"},
		}}
}

// TestEvents: entries come the newest first, in words, with the bounds of a time that is not sure; who did something is
// told by role, never by the number of an account.
func TestEvents(t *testing.T) {
	t.Parallel()
	for l, want := range map[text.Language][][]string{
		text.Chinese: {{"一分钟内又贴了 4 次", "2026-11-29 21:30 之前"}, {"没有接受：不能开这扇门", "2026-11-29 19:30 和 2026-11-29 21:30 之间"}, {"卡被接受", "大门", "进", "卡和密码"}},
		text.English: {{"Held up again within the minute (4)", "before 2026-11-29 21:30"}, {"Not accepted: not for this door", "between 2026-11-29 19:30 and 2026-11-29 21:30"}, {"Card accepted", "Front door", "in", "card and PIN"}},
	} {
		told := teller(t, l)
		events := told.Entries(held())
		if len(events) != len(want) {
			t.Fatalf("%+v", events)
		}
		for i, e := range events {
			all := strings.Join([]string{e.Day, e.Time, e.Unsure, e.What, e.Door, e.Direction, e.Method, e.By}, "|")
			for _, w := range want[i] {
				if !strings.Contains(all, w) {
					t.Errorf("%s: entry %d lacks %q: %s", l, i, w, all)
				}
			}
		}
		if e := events[2]; e.Unsure != "" || e.Day != "2026-11-29" || e.Time != "18:30:00" || e.By != "" || e.ID != "e12:3" {
			t.Errorf("%+v", e)
		}
	}
	never := time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC)
	if got := teller(t, text.English).unsure(control.OwnEntry{Latest: &never}); got != "time uncertain" {
		t.Errorf("of a time that nobody knows: %q", got)
	}
	acts := teller(t, text.English).Acts(held())
	if acts[0].What != "Entries were read with your card and PIN" || acts[0].By != "resident" || acts[1].What != "a wrong PIN at the desk, not done" || acts[1].By != "helper" {
		t.Errorf("%+v", acts)
	}
}

// TestWordsOfEntries: whatever the log says of a card or a tenancy has words in both languages.
func TestWordsOfEntries(t *testing.T) {
	t.Parallel()
	for _, l := range []text.Language{text.Chinese, text.English} {
		told := teller(t, l)
		code := regexp.MustCompile(`[a-z]_[a-z]|^[a-z_]+$|: [a-z]+_|：[a-z_]+`)
		for r := wire.Reason(1); r < wire.ReasonCard; r++ {
			name := r.String()
			if strings.HasPrefix(name, "reason_") {
				break
			}
			if what := told.passage(control.OwnEntry{Kind: "access", Outcome: "denied", Reason: name}); strings.Contains(what, "_") || l == text.Chinese && strings.Contains(what, name) {
				t.Errorf("%s: %s is told as %q", l, name, what)
			}
		}
		for r := wire.ReasonCheckIn; r <= wire.ReasonGuestEnded; r++ {
			name := r.String()
			if what := told.act(control.OwnEntry{Kind: "tenancy", Outcome: "done", Reason: name}); !strings.HasPrefix(name, "reason_") && (code.MatchString(what) && l == text.Chinese || strings.Contains(what, "_")) {
				t.Errorf("%s: %s is told as %q", l, name, what)
			}
		}
		for _, k := range []wire.Kind{wire.KindAccess, wire.KindRepeated, wire.KindReleasedLate, wire.KindExit, wire.KindTold} {
			if what := told.passage(control.OwnEntry{Kind: k.String()}); strings.Contains(what, "_") || l == text.Chinese && what == k.String() {
				t.Errorf("%s: %s is told as %q", l, k, what)
			}
		}
	}
}

// TestFacts: what is held of the tenancy has a name and a value in both languages, and what there is not is left out.
func TestFacts(t *testing.T) {
	t.Parallel()
	all := teller(t, text.English).Facts(held())
	got := map[string]string{}
	for _, f := range all {
		got[f.Name] = f.Value
	}
	for name, want := range map[string]string{"Flat": "3B", "State": "Active", "Term": "2026-10-29 to no end", "Doors": "Front door, bike-shed", "This card": "card 2, active, given 2026-10-29", "Gateway": "lane-7/gw1", "Read at": "2026-11-30 18:30 (Asia/Shanghai)"} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if _, there := got["Notice"]; there || got["PIN"] == "" {
		t.Errorf("%v", got)
	}
	if len(teller(t, text.Chinese).Facts(held())) != len(all) {
		t.Error("one language tells more")
	}
}

// TestWrite: the copies have all that is told, the table begins with the mark by which spreadsheets know UTF-8, and no cell
// of it is a formula.
func TestWrite(t *testing.T) {
	t.Parallel()
	told, m := teller(t, text.English), held()
	var table, program bytes.Buffer
	if err := errors.Join(told.Write(&table, m, CSV), told.Write(&program, m, JSON)); err != nil {
		t.Fatal(err)
	}
	after, found := strings.CutPrefix(table.String(), "\ufeff")
	rows, err := csv.NewReader(strings.NewReader(after)).ReadAll()
	if err != nil || !found || len(rows) != 1+len(told.Facts(m))+len(m.Entries)+len(m.Acts)+len(told.Kept(m))+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+@") {
				t.Errorf("a spreadsheet calculates %q", cell)
			}
		}
	}
	if !strings.Contains(after, "Entries of this card,1976-11-29T18:30:00+08:00,2026-11-29T19:30:00+08:00,2026-11-29T21:30:00+08:00,clock not set,Not accepted: not for this door,Front door,,,,e12:4") {
		t.Errorf("%s", after)
	}
	var back Copy
	if err := json.Unmarshal(program.Bytes(), &back); err != nil || len(back.Entries) != 3 || back.Entries[1].Latest == nil || back.Tenancy.Flat != "3B" || len(back.Told) != len(told.Kept(m))+1 {
		t.Errorf("%+v, %v", back, err)
	}
	if err := told.Write(&table, m, "pdf"); err == nil {
		t.Error("written as what there is not")
	}
	if plain("=1") != "'=1" || plain("") != "" || plain("门") != "门" {
		t.Error("cells")
	}
}

// TestTold: the daemon's refusals are told in Chinese; what there are no words for, and English, stays.
func TestTold(t *testing.T) {
	t.Parallel()
	no := &socket.Error{Status: http.StatusUnauthorized, Message: "flat and PIN do not fit", Hint: "x"}
	var told *socket.Error
	if err := teller(t, text.Chinese).Told(no); !errors.As(err, &told) || told.Message != "房号和密码对不上。" || told.Hint == "x" || told.Status != no.Status || no.Hint != "x" {
		t.Errorf("%+v", told)
	}
	for _, err := range []error{nil, errors.New("x"), &socket.Error{Message: "what nobody has words for"}} {
		if got := teller(t, text.Chinese).Told(err); got != err {
			t.Errorf("%v is told as %v", err, got)
		}
	}
	if got := teller(t, text.English).Told(no); got != error(no) {
		t.Errorf("%v", got)
	}
}
