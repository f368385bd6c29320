package web

import (
	"strconv"
	"strings"

	"gatehouse/internal/control"
)

// todo is the list of what is to be done (T1), the same as `gatehouse status` has.
type todo struct{ *Server }

func (t todo) routes() []route {
	return []route{
		{"GET /todo", everyRole, t.page},
		{"POST /todo/time", ownerAlone, t.timeRight},
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

func (t todo) page(v *visit) error {
	st, err := t.watch.now(v.Context())
	if err != nil {
		return err
	}
	view := toDoView{Now: st.Clock.Now.Format("2006-01-02 15:04")}
	for _, item := range toDoOf(st) {
		shown := t.item(v, item)
		shown.Since = since(v, item)
		view.Items = append(view.Items, shown)
	}
	return v.show("todo", view)
}

// since says since when the daemon knows of it; a daemon from before that does not say.
func since(v *visit, item control.ToDo) string {
	if item.Since == nil {
		return ""
	}
	key := "todo.since"
	if item.AtStart {
		key = "todo.since_start"
	}
	return v.say(key, item.Since.Format("2006-01-02 15:04"))
}

// item finds the words of a code.
func (t todo) item(v *visit, item control.ToDo) toDoItem {
	code, fault, _ := strings.Cut(item.Code, "/")
	out := toDoItem{Text: item.Text}
	if key := "todo." + code; !t.words.Has(key) || !t.words.Has(key+"_do") {
		out.What, out.Unknown = v.say("todo.unknown"), true
		return out
	}
	what, do := "todo."+code, "todo."+code+"_do"
	if key := what + "_" + fault; t.words.Has(key) { // of a door's part
		what, do = key, key+"_do"
	}
	if key := "todo.fault_" + fault; t.words.Has(key) {
		do = key
	}
	var args []string
	for i, a := range item.Args {
		args = append(args, "{"+strconv.Itoa(i+1)+"}", a)
	}
	filled := strings.NewReplacer(args...)
	out.What, out.Do = filled.Replace(v.say(what)), v.say(do)
	switch {
	case strings.HasPrefix(code, "clock_"), code == "missing_clock":
		out.Clock = true
	case ofProof(code):
		out.To, out.ToWords, out.Pattern = "/prove/"+item.Door, "todo.go_prove", "GET /prove/{door}"
	case item.Door != "", strings.HasPrefix(code, "fire_"):
		out.To, out.ToWords, out.Pattern = "/doors", "todo.go_doors", "GET /doors"
	case code == "recovery_untried":
		out.To, out.ToWords, out.Pattern = "/recovery", "recovery.title", "GET /recovery"
	case code == "no_list":
		out.To, out.ToWords, out.Pattern = "/people", "todo.go_people", "GET /people"
	}
	return out
}

// timeRight confirms that the gateway's time is right, as gatehouse clock confirm does.
func (t todo) timeRight(v *visit) error {
	if _, err := t.o.Daemon.ConfirmClock(v.Context()); err != nil {
		return err
	}
	v.redirect("/todo")
	return nil
}

// ofProof reports whether a code is about what is proved at a door.
func ofProof(code string) bool { return code == "door_unproved" || strings.HasPrefix(code, "proof_") }
