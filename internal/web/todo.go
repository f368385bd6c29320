package web

import (
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/control"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/watch"
)

// todo has the to-do list (T1), the same as in `gatehouse status`.
type todo struct{ *page.Page }

func (t todo) routes() []page.Route {
	return []page.Route{
		page.At("GET /todo", page.EveryRole, t.page),
		page.At("POST /todo/time", page.OwnerAlone, t.timeRight),
	}
}

// toDoItem is an item of the list on the page.
type toDoItem struct {
	What, Do string
	Since    string
	Text     string // the daemon's own sentence, with details for an installer
	Unknown  bool   // from a later daemon: the page has no words for it
	To       string // path of the screen that does it; empty: none
	ToWords  string // key
	Pattern  string // of that screen's route, for its roles
	Clock    bool   // the gateway's time must be confirmed
}

// toDoView is the data of the screen.
type toDoView struct {
	Items []toDoItem
	Now   string // the gateway's time
}

func (t todo) page(v *page.Visit) error {
	st, err := t.Watch.Now(v.Context())
	if err != nil {
		return err
	}
	view := toDoView{Now: page.Minute(st.Clock.Now) + zoneName(v, st.Clock.Zone)}
	for _, item := range watch.ToDo(st) {
		shown := t.item(v, item)
		shown.Since = since(v, item)
		view.Items = append(view.Items, shown)
	}
	return v.Show("todo", view)
}

// zoneName returns the text for a zone after a time; empty for an older daemon without one.
func zoneName(v *page.Visit, zone string) string {
	if zone == "" {
		return ""
	}
	return v.Say("page.in_brackets", zone)
}

// since returns since when the daemon knows of an item; empty for an older daemon.
func since(v *page.Visit, item control.ToDo) string {
	if item.Since == nil {
		return ""
	}
	key := "todo.since"
	if item.AtStart {
		key = "todo.since_start"
	}
	return v.Say(key, page.Minute(*item.Since))
}

// screenOf are the screens for codes that one screen alone is for, each with the key of its button.
var screenOf = map[string]struct{ path, words string }{
	"fire_latched":     {"/fire", "doors.fire_end"},
	"drill_failed":     {"/drill", "drill.title"},
	"recovery_untried": {"/recovery", "recovery.title"},
	"no_keys":          {"/setup/registry", "setup.registry"},
	"key_file":         {"/setup/registry", "setup.registry"},
	"no_list":          {"/people", "todo.go_people"},
	"codes_void":       {"/people", "todo.go_people"},
}

// item returns the item with the words of its code.
func (t todo) item(v *page.Visit, item control.ToDo) toDoItem {
	code, fault, _ := strings.Cut(item.Code, "/")
	out := toDoItem{Text: item.Text}
	if key := "todo." + code; !t.Words.Has(key) || !t.Words.Has(key+"_do") {
		out.What, out.Unknown = v.Say("todo.unknown"), true
		return out
	}
	what, do := "todo."+code, "todo."+code+"_do"
	if key := what + "_" + fault; t.Words.Has(key) { // of a door's part
		what, do = key, key+"_do"
	}
	if key := "todo.fault_" + fault; t.Words.Has(key) {
		do = key
	}
	var args []string
	for i, a := range item.Args {
		args = append(args, "{"+strconv.Itoa(i+1)+"}", t.argument(v, item, i, a))
	}
	filled := strings.NewReplacer(args...)
	out.What, out.Do = filled.Replace(v.Say(what)), v.Say(do)
	screen, alone := screenOf[code]
	switch {
	case alone:
		out.To, out.ToWords, out.Pattern = screen.path, screen.words, "GET "+screen.path
	case strings.HasPrefix(code, "clock_"), code == "missing_clock":
		out.Clock = true
	case ofProof(code):
		out.To, out.ToWords, out.Pattern = "/prove/"+item.Door, "todo.go_prove", "GET /prove/{door}"
	case ofKey(fault) && len(item.Args) > 1:
		out.To, out.ToWords, out.Pattern = "/doors/"+item.Door+"/readers/"+item.Args[1], "pair.title", "GET /doors/{door}/readers/{reader}"
	case item.Door != "", strings.HasPrefix(code, "fire_"):
		out.To, out.ToWords, out.Pattern = "/doors", "todo.go_doors", "GET /doors"
	}
	return out
}

// argument returns an argument of an item's sentence in words: its door, a device of that door, or a
// span of time.
func (t todo) argument(v *page.Visit, item control.ToDo, i int, a string) string {
	switch {
	case item.Door == "":
	case i == 0 && a == item.Door:
		return v.DoorName(a)
	case i == 1 && !strings.Contains(a, " "):
		return v.DeviceName(a)
	}
	return t.span(v, a)
}

// span returns a span of time, as "23 h 59 min", in words; anything else is returned unchanged.
func (t todo) span(v *page.Visit, text string) string {
	words := strings.Fields(text)
	if len(words)%2 == 1 {
		return text
	}
	for i := 0; i < len(words); i += 2 {
		key := "todo.unit_" + words[i+1]
		if _, err := strconv.Atoi(words[i]); err != nil || !t.Words.Has(key) {
			return text
		}
		words[i+1] = v.Say(key)
	}
	return strings.Join(words, " ")
}

// timeRight confirms that the gateway's time is right, as gatehouse clock confirm does.
func (t todo) timeRight(v *page.Visit) error {
	if _, err := t.Daemon.ConfirmClock(v.Context()); err != nil {
		return err
	}
	v.Redirect("/todo")
	return nil
}

// ofKey reports whether a fault is that of an OSDP reader that needs a key of its own.
func ofKey(fault string) bool {
	return slices.Contains([]string{"no_key", "wrong_key", "default_key", "weak_key", "other_reader"}, fault)
}

// ofProof reports whether a code is about proofs at a door.
func ofProof(code string) bool {
	return strings.HasPrefix(code, "door_unproved") || strings.HasPrefix(code, "proof_")
}
