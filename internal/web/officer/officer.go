// Package officer is the page on which an officer shows a mandate at the house, by the own phone and with no
// other network (O1): the signed paper goes up as a file, and the sealed answer comes down, or the refusal
// with its reason, by which rule, and what to do.
//
// It judges nothing: the daemon does, by the code that gatehouse query asks. It refuses to tell anybody that
// somebody was here: it has no account and no session, logs nothing and counts nothing that others see, and
// what it holds is in memory alone, for ten minutes, under an address that nobody guesses.
package officer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/tries"
	"gatehouse/sync/wire"
)

// MostForm is the most bytes of the form with a mandate, which is one message.
const MostForm = wire.MaxMessage + 8<<10

// every is how often an address gets another try after the first ones: by itself it can't use up the refusals that the
// daemon writes down in an hour. A paper that is answered uses no try.
const every = 10 * time.Minute

// Officer is the page. Make it with New. Safe for concurrent use.
type Officer struct {
	*page.Page
	tries  *tries.Tries
	visits *visits
}

// New makes the page, on which nobody was yet.
func New(p *page.Page) *Officer { return &Officer{p, tries.New(every), newVisits()} }

// Close ends what is asked, and returns when nobody asks the daemon any more.
func (o *Officer) Close() { o.visits.close() }

// Routes are those of the page. None of them returns an error: what is refused would be logged.
func (o *Officer) Routes() []page.Route {
	return []page.Route{
		page.At("GET "+page.OfficerPath, page.Anybody, func(v *page.Visit) error { return v.Show("officer", form{}) }),
		page.At("POST "+page.OfficerPath, page.Anybody, o.ask),
		page.At("GET "+page.OfficerPath+"/{visit}", page.Anybody, o.look),
		page.At("GET "+page.OfficerPath+"/{visit}/{file}", page.Anybody, o.download),
	}
}

// form is the data of the form.
type form struct {
	Said *page.Advice
	Use  string // the number as it was typed
}

// Keys of the words for what the page itself says.
const (
	wordNoFile  = "officer.no_file"
	wordLarge   = "officer.too_large"
	wordNumber  = "officer.bad_number"
	wordTooMany = "officer.too_many"
	wordBusy    = "officer.busy"
	wordOver    = "officer.over"
	wordSlow    = "officer.slow"
)

// soon is how long a form waits for its answer before it shows that it waits.
const soon = 2 * time.Second

// ask shows the gateway a mandate.
func (o *Officer) ask(v *page.Visit) error {
	in, wrong := read(v)
	if wrong != "" {
		return o.again(v, http.StatusUnprocessableEntity, wrong)
	}
	if !o.tries.Allow(v.RemoteAddr, "") {
		return o.again(v, http.StatusTooManyRequests, wordTooMany)
	}
	id, x, err := o.visits.begin(func(ctx context.Context) (control.Inquiry, error) {
		got, err := in.AskAtMost(caller.With(ctx, caller.Caller{Role: caller.Page}), o.Daemon, mostAnswer)
		if err == nil && got.Refusal == nil || errors.Is(err, control.ErrLarge) {
			o.tries.Back(v.RemoteAddr, "")
		}
		return got, err
	})
	if err != nil {
		o.tries.Back(v.RemoteAddr, "")
		return o.again(v, http.StatusServiceUnavailable, wordBusy)
	}
	wait(v, x, soon)
	v.Redirect(page.OfficerPath + "/" + id)
	return nil
}

// again shows the form with what is wrong with the one before.
func (o *Officer) again(v *page.Visit, status int, wrong string) error {
	return v.ShowStatus(status, "officer", form{v.Words(wrong, 0), strings.TrimSpace(v.FormValue("use"))})
}

// read reads a form; wrong is the key of what is wrong with it.
func read(v *page.Visit) (in control.InquiryRequest, wrong string) {
	if use := strings.TrimSpace(v.FormValue("use")); use != "" {
		n, err := strconv.ParseUint(use, 10, 32)
		if err != nil || n == 0 {
			return in, wordNumber
		}
		in.Use = n
	}
	file, _, err := v.FormFile("mandate")
	if err != nil {
		return in, wordNoFile
	}
	defer file.Close()
	in.Mandate, err = io.ReadAll(io.LimitReader(file, wire.MaxMessage+1))
	switch {
	case err != nil || len(in.Mandate) == 0:
		return in, wordNoFile
	case len(in.Mandate) > wire.MaxMessage:
		return in, wordLarge
	}
	return in, ""
}

// wait waits for the answer, so long at most.
func wait(v *page.Visit, x *visit, most time.Duration) {
	select {
	case <-x.done:
	case <-time.After(most):
	case <-v.Context().Done():
	}
}

// lookFor is how long a look waits for the answer. It ends before what a request may take.
const lookFor = 6 * time.Second

// look shows how a visit stands. A page that waits looks again by itself, without a script, and that look waits for the
// answer, while the browser shows what it has.
func (o *Officer) look(v *page.Visit) error {
	x := o.visits.of(v.PathValue("visit"))
	if x == nil {
		return o.again(v, http.StatusNotFound, wordOver)
	}
	if v.FormValue("wait") != "" {
		wait(v, x, lookFor)
	}
	if !x.over() {
		v.W.Header().Set("Refresh", "1; url="+v.URL.Path+"?wait=1")
		return v.Show("officer_wait", nil)
	}
	switch shown := o.shown(v, x); {
	case errors.Is(x.err, control.ErrLarge):
		return v.Show("officer_large", shown)
	case x.err != nil:
		return v.ShowStatus(page.StatusOf(x.err), "officer", form{Said: said(v, x.err)})
	case x.got.Refusal != nil:
		return v.Show("officer_refused", shown)
	default:
		return v.Show("officer_answer", shown)
	}
}

// said is why the daemon did not judge a mandate.
func said(v *page.Visit, err error) *page.Advice {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return v.Words(wordSlow, 0)
	}
	return v.Advice(err, 0)
}

// shown is what a visit got, as it is shown.
type shown struct {
	control.Inquiry
	Path      string // of the visit
	Reference string
	Place     string // building and gateway; empty: no approver has signed the paper, and nobody is told where it was shown
	At, Until time.Time
	Parts     []part
}

// part is one file of an answer.
type part struct {
	Number, Of int
	Kilobytes  int
	SHA256     string
	Check      string // text of the picture by which it is compared on paper
}

func (o *Officer) shown(v *page.Visit, x *visit) shown {
	s := shown{Inquiry: x.got, Path: page.OfficerPath + "/" + v.PathValue("visit"), At: x.at, Until: x.at.Add(keepFor)}
	if x.got.Reference == nil {
		return s
	}
	s.Reference = x.got.Reference.String()
	if st, err := o.Watch.Now(v.Context()); err == nil {
		s.Place, s.At, s.Until = st.Building+"/"+st.Gateway, s.At.In(st.Clock.Now.Location()), s.Until.In(st.Clock.Now.Location())
	}
	for i, f := range x.got.Files {
		p := part{Number: i + 1, Of: len(x.got.Files), Kilobytes: (len(f.Sealed) + 1023) / 1024, SHA256: fmt.Sprintf("%x", f.SHA256[:])}
		p.Check = fmt.Sprintf("reference %s\nuse %d\nfile %d/%d\nsha256 %s", s.Reference, x.got.Use, p.Number, p.Of, p.SHA256)
		s.Parts = append(s.Parts, p)
	}
	return s
}

// downloadWithin is how long a phone may take for a file.
const downloadWithin = 2 * time.Minute

// download hands out a file of an answer.
func (o *Officer) download(v *page.Visit) error {
	x := o.visits.of(v.PathValue("visit"))
	n, err := strconv.Atoi(v.PathValue("file"))
	if x == nil || !x.over() || err != nil || n < 1 || n > len(x.got.Files) {
		return o.again(v, http.StatusNotFound, wordOver)
	}
	name := fmt.Sprintf("answer-%d.sealed", x.got.Use)
	if len(x.got.Files) > 1 {
		name = fmt.Sprintf("answer-%d-%d.sealed", x.got.Use, n)
	}
	h := v.W.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Connection", "close") // the deadline is of the connection
	_ = http.NewResponseController(v.W).SetWriteDeadline(time.Now().Add(downloadWithin))
	http.ServeContent(v.W, v.Request, "", time.Time{}, bytes.NewReader(x.got.Files[n-1].Sealed))
	return nil
}
