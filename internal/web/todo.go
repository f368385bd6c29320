package web

import (
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/control"
	"gatehouse/internal/web/page"
)

// todo is the list of what is to be done (T1), the same as `gatehouse status` has.
type todo struct{ *page.Page }

func (t todo) routes() []page.Route {
	return []page.Route{
		page.At("GET /todo", page.EveryRole, t.page),
		page.At("POST /todo/time", page.OwnerAlone, t.timeRight),
	}
}

// toDoItem is one thing to be done as the page shows it.
type toDoItem struct {
	What, Do string
	Since    string
	Text     string // the daemon's own sentence, with what an installer wants to know
	Unknown  bool   // a later daemon's: there are no words for it here
	To       string // where the page can do it; empty: not on the page
	ToWords  string // key
	Pattern  string // of the route, for who may
	Clock    bool   // the time that the gateway has is to be confirmed
}

// toDoView is the screen.
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
	for _, item := range page.ToDo(st) {
		shown := t.item(v, item)
		shown.Since = since(v, item)
		view.Items = append(view.Items, shown)
	}
	return v.Show("todo", view)
}

// zoneName is a zone behind a time; none of a daemon from before that does not say.
func zoneName(v *page.Visit, zone string) string {
	if zone == "" {
		return ""
	}
	return v.Say("page.in_brackets", zone)
}

// since says since when the daemon knows of it; a daemon from before that does not say.
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

// item finds the words of a code.
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
		args = append(args, "{"+strconv.Itoa(i+1)+"}", a)
	}
	filled := strings.NewReplacer(args...)
	out.What, out.Do = filled.Replace(v.Say(what)), v.Say(do)
	switch {
	case strings.HasPrefix(code, "clock_"), code == "missing_clock":
		out.Clock = true
	case ofProof(code):
		out.To, out.ToWords, out.Pattern = "/prove/"+item.Door, "todo.go_prove", "GET /prove/{door}"
	case code == "fire_latched":
		out.To, out.ToWords, out.Pattern = "/fire", "doors.fire_end", "GET /fire"
	case ofKey(fault) && len(item.Args) > 1:
		out.To, out.ToWords, out.Pattern = "/doors/"+item.Door+"/readers/"+item.Args[1], "pair.title", "GET /doors/{door}/readers/{reader}"
	case item.Door != "", strings.HasPrefix(code, "fire_"):
		out.To, out.ToWords, out.Pattern = "/doors", "todo.go_doors", "GET /doors"
	case code == "recovery_untried":
		out.To, out.ToWords, out.Pattern = "/recovery", "recovery.title", "GET /recovery"
	case code == "no_keys", code == "key_file":
		out.To, out.ToWords, out.Pattern = "/setup/registry", "setup.registry", "GET /setup/registry"
	case code == "no_list", code == "codes_void":
		out.To, out.ToWords, out.Pattern = "/people", "todo.go_people", "GET /people"
	}
	return out
}

// timeRight confirms that the gateway's time is right, as gatehouse clock confirm does.
func (t todo) timeRight(v *page.Visit) error {
	if _, err := t.Daemon.ConfirmClock(v.Context()); err != nil {
		return err
	}
	v.Redirect("/todo")
	return nil
}

// ofKey reports whether a fault is one of an OSDP reader that wants a key of its own.
func ofKey(fault string) bool {
	return slices.Contains([]string{"no_key", "wrong_key", "default_key", "weak_key", "other_reader"}, fault)
}

// ofProof reports whether a code is about what is proved at a door.
func ofProof(code string) bool {
	return strings.HasPrefix(code, "door_unproved") || strings.HasPrefix(code, "proof_")
}
