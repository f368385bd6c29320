// Package officer is the page on which an officer shows a mandate at the house, by the own phone and with no
// other network (O1): the signed paper goes up as a file, and the sealed answer comes down, or the refusal
// with its reason, by which rule, and what to do. An order to preserve goes up in the same way.
//
// It judges nothing: the daemon does, by the code that gatehouse query and gatehouse preserve ask. It refuses to tell anybody that
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

// PreservePath is where an order to preserve is shown.
const PreservePath = page.OfficerPath + "/preserve"

// MostForm is the most bytes of a form with a mandate or an order, which is one message.
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
		page.At("POST "+PreservePath, page.Anybody, o.preserve),
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
	use, wrong := number(v)
	if wrong != "" {
		return o.again(v, http.StatusUnprocessableEntity, wrong)
	}
	return o.show(v, aMandate, func(ctx context.Context, envelope []byte) (got outcome, err error) {
		got.Inquiry, err = control.InquiryRequest{Mandate: envelope, Use: use}.AskAtMost(ctx, o.Daemon, mostAnswer)
		return got, err
	})
}

// preserve shows the gateway an order to preserve, which shows nothing of the log.
func (o *Officer) preserve(v *page.Visit) error {
	return o.show(v, anOrder, func(ctx context.Context, envelope []byte) (got outcome, err error) {
		kept, err := control.PreserveRequest{Order: envelope}.Ask(ctx, o.Daemon)
		if got.Refusal = kept.Refusal; got.Refusal == nil {
			got.kept = &kept
		}
		return got, err
	})
}

// show shows the gateway a paper, for nobody who is signed in, and leads to what comes of it. A paper that is taken uses no
// try.
func (o *Officer) show(v *page.Visit, what paper, ask func(context.Context, []byte) (outcome, error)) error {
	envelope, wrong := upload(v, string(what))
	if wrong != "" {
		return o.again(v, http.StatusUnprocessableEntity, wrong)
	}
	from := v.RemoteAddr
	if !o.tries.Allow(from, "") {
		return o.again(v, http.StatusTooManyRequests, wordTooMany)
	}
	id, x, err := o.visits.begin(func(ctx context.Context) (outcome, error) {
		got, err := ask(caller.With(ctx, caller.Caller{Role: caller.Page}), envelope)
		if got.of = what; err == nil && got.Refusal == nil || errors.Is(err, control.ErrLarge) {
			o.tries.Back(from, "")
		}
		return got, err
	})
	if err != nil {
		o.tries.Back(from, "")
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

// number reads the number of an answer to fetch again, 0 for a new one; wrong is the key of what is wrong with it.
func number(v *page.Visit) (use uint64, wrong string) {
	typed := strings.TrimSpace(v.FormValue("use"))
	if typed == "" {
		return 0, ""
	}
	n, err := strconv.ParseUint(typed, 10, 32)
	if err != nil || n == 0 {
		return 0, wordNumber
	}
	return n, ""
}

// upload reads the file of a form; wrong is the key of what is wrong with it.
func upload(v *page.Visit, field string) (envelope []byte, wrong string) {
	file, _, err := v.FormFile(field)
	if err != nil {
		return nil, wordNoFile
	}
	defer file.Close()
	envelope, err = io.ReadAll(io.LimitReader(file, wire.MaxMessage+1))
	switch {
	case err != nil || len(envelope) == 0:
		return nil, wordNoFile
	case len(envelope) > wire.MaxMessage:
		return nil, wordLarge
	}
	return envelope, ""
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
	case x.got.kept != nil:
		return v.Show("officer_kept", shown)
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
	Place     string // building and gateway; empty: the paper is of nobody who may sign for the house, and nobody is told where it was shown
	At, Until time.Time
	Parts     []part
	Order     bool               // an order to preserve was shown, and no mandate
	Kept      *control.Preserved // of one that was taken
	KeptUntil *time.Time         // its end, in the building's zone; nil: the gateway does not know the time
}

// Hours is for how long at least nothing of an order's span is erased, from when it was shown.
func (s shown) Hours() int64 { return s.Kept.Seconds / 3600 }

// part is one file of an answer.
type part struct {
	Number, Of int
	Kilobytes  int
	SHA256     string
	Check      string // text of the picture by which it is compared on paper
}

func (o *Officer) shown(v *page.Visit, x *visit) shown {
	s := shown{Inquiry: x.got.Inquiry, Path: page.OfficerPath + "/" + v.PathValue("visit"), At: x.at, Until: x.at.Add(keepFor), Order: x.got.of == anOrder, Kept: x.got.kept}
	switch {
	case x.got.Reference != nil:
		s.Reference = x.got.Reference.String()
	case s.Kept == nil:
		return s
	}
	if st, err := o.Watch.Now(v.Context()); err == nil {
		zone := st.Clock.Now.Location()
		s.Place, s.At, s.Until = st.Building+"/"+st.Gateway, s.At.In(zone), s.Until.In(zone)
		if s.Kept != nil && s.Kept.Until != nil {
			until := s.Kept.Until.In(zone)
			s.KeptUntil = &until
		}
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
