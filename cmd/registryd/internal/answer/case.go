package answer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/progress"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Files of a case's summary.
const (
	summaryJSON = "summary.json"
	summaryText = "summary.txt"
)

// theCase is all mandates of a case, a line a gateway.
type theCase struct {
	*counter
	lines  []*line
	before []line // of the summary of an earlier run
}

// answerCase answers what was not answered before, and completes what was not complete: for so long, as it comes.
func (c *counter) answerCase(paths []string, wait time.Duration) error {
	all := theCase{counter: c}
	files, err := filesOf(paths)
	if err == nil {
		err = writable(c.out)
	}
	if err != nil {
		return err
	}
	if text, err := os.ReadFile(filepath.Join(c.out, summaryJSON)); err == nil {
		_ = json.Unmarshal(text, &all.before) // what it does not say is made again
	}
	all.read(files)
	all.keep()
	err = all.stay(wait)
	if werr := all.write(); werr != nil {
		return werr
	}
	if err != nil {
		return err
	}
	return all.ended()
}

// filesOf lists files, and those of directories by name. Names that begin with a dot are not of a case.
func filesOf(paths []string) (all []string, err error) {
	for _, path := range paths {
		inside, err := os.ReadDir(path)
		if err != nil {
			all = append(all, path) // a file, or none: that is told of it like of any other
			continue
		}
		for _, f := range inside {
			if name := f.Name(); name[0] != '.' && !f.IsDir() {
				all = append(all, filepath.Join(path, name))
			}
		}
	}
	if len(all) == 0 {
		return nil, socket.Hinted("put the case's mandates into it, as their approvers have signed them", "%s has no files", paths[0])
	}
	return all, nil
}

// read reads the mandates. What is none is a line of the summary, and the others go on.
func (c *theCase) read(files []string) {
	seen := map[wire.Hash]string{}
	for _, path := range files {
		q, err := c.counter.read(path)
		if err != nil {
			l := &line{File: path, answered: nothing()}
			l.fail(err)
			c.lines = append(c.lines, l)
			continue
		}
		first := line{File: path, Reference: q.mandate.Reference.String(), Sum: sha256.Sum256(q.envelope), State: NotAsked, answered: nothing(), q: q}
		if other, again := seen[first.Sum]; again {
			first.State, first.Why, first.Building = Twice, "同一份文件 the same as "+other, q.mandate.Request.Building
			c.lines = append(c.lines, &first)
			continue
		}
		seen[first.Sum] = path
		for _, g := range q.mandate.Request.Gateways {
			l := first
			l.Place = api.Place{District: q.mandate.Request.District, Town: q.mandate.Request.Town, Building: q.mandate.Request.Building, Gateway: g.ID}
			for _, b := range c.before {
				if b.Sum == l.Sum && b.Gateway == l.Gateway && b.Number > 0 {
					l.Number, l.Part, l.Files = b.Number, b.Part, b.Files
				}
			}
			c.lines = append(c.lines, &l)
		}
	}
}

// keep adds what an earlier run has left, and this one was not given: the summary is of the whole case.
func (c *theCase) keep() {
	asked := c.lines
	for _, b := range c.before {
		if !slices.ContainsFunc(asked, func(l *line) bool { return l.supersedes(b) }) {
			b.Earlier = true
			c.lines = append(c.lines, &b)
		}
	}
}

// pauses between two looks at what has not come: a look takes a tenth of the time at most.
const (
	leastPause = 2 * time.Second
	pauseTimes = 10
)

// stay asks for all, and with --wait again and again for what may still come.
func (c *theCase) stay(wait time.Duration) error {
	end := time.Now().Add(wait)
	todo := c.lines
	for {
		began := time.Now()
		c.round(todo)
		todo = slices.DeleteFunc(slices.Clone(c.lines), func(l *line) bool { return !l.open() })
		left := time.Until(end)
		if c.Ctx.Err() != nil || len(todo) == 0 || left <= 0 {
			return c.Ctx.Err()
		}
		if err := c.write(); err != nil {
			return err
		}
		pause := time.NewTimer(min(left, max(leastPause, pauseTimes*time.Since(began))))
		select {
		case <-c.Ctx.Done():
			pause.Stop()
		case <-pause.C:
		}
	}
}

// round asks for lines, some at a time: the front waits for its disk while the records key's side computes.
func (c *theCase) round(todo []*line) {
	bar, done := progress.NewBar(c.Screen), int64(0)
	next := make(chan *line)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range min(2*runtime.GOMAXPROCS(0), len(todo)) {
		all.Go(func() {
			for l := range next {
				c.do(l)
				mu.Lock()
				done++
				bar.Show(done, int64(len(todo)))
				mu.Unlock()
			}
		})
	}
	for _, l := range todo {
		if c.Ctx.Err() != nil {
			break
		}
		next <- l
	}
	close(next)
	all.Wait()
	bar.Clear()
}

// do asks for one line.
func (c *theCase) do(l *line) {
	if l.q == nil || l.State == Twice {
		return
	}
	was := l.answered
	d, err := c.asked(l)
	if err != nil {
		if !l.open() { // one that waits is asked again: the front may be away for a moment
			l.fail(err)
		}
		return
	}
	l.answered = told(d)
	switch {
	case d.Refusal != nil: // what was answered before is with its recipient all the same
		l.Number, l.Part, l.Files = was.Number, was.Part, was.Files
	case was.stands(d):
		l.Files = was.Files
	default:
		if l.answered, err = l.q.answer(d); err != nil {
			l.Files = nothing().Files // the next run makes all of them
			l.fail(err)
			return
		}
	}
	l.State, l.Why, l.Do = stateOf(l.answered), "", ""
	if r := d.Refusal; r != nil {
		l.Why, l.Do = r.Error(), r.Do.ZH+" "+r.Do.EN
	}
}

// asked asks the front for a line, once what can be found out before it counts was found out.
func (c *theCase) asked(l *line) (api.Disclosed, error) {
	if l.q.flats == nil {
		if err := l.q.readFlats(); err != nil {
			return api.Disclosed{}, err
		}
	}
	return l.q.ask(api.Asked{Gateway: l.Gateway, Last: true})
}

// write writes the summary, for programs and for people.
func (c *theCase) write() error {
	text, err := json.MarshalIndent(c.shown(), "", " ")
	if err != nil {
		return err
	}
	var table bytes.Buffer
	tell(&table, c.lines, func(State) bool { return true })
	return errors.Join(durable.WriteFile(filepath.Join(c.out, summaryJSON), text, 0o600),
		durable.WriteFile(filepath.Join(c.out, summaryText), []byte(command.Plain(table.String())), 0o600))
}

// shown are the lines without how many entries an answer has: that is content.
func (c *theCase) shown() []line {
	all := make([]line, len(c.lines))
	for i, l := range c.lines {
		all[i] = *l
		all[i].Files = slices.Clone(l.Files)
		for j := range all[i].Files {
			all[i].Files[j].Entries, all[i].Files[j].Named = 0, 0
		}
	}
	return all
}

// ended prints how the case stands. The status is 1 where something that was asked for was refused or failed, 3 where
// something is still missing.
func (c *theCase) ended() error {
	var err error
	if c.JSON {
		err = c.Encode(c.shown())
	} else {
		var text bytes.Buffer
		tell(&text, c.lines, func(s State) bool { return s != Answered })
		_, err = text.WriteTo(c.Console.Out)
	}
	if err != nil {
		return err
	}
	status := 0
	for _, l := range c.lines {
		switch {
		case l.Earlier, l.State == Answered, l.State == Twice:
		case l.State == Partial, l.State == Waiting:
			status = max(status, stillMissing)
		default:
			return command.Ended{Status: 1}
		}
	}
	if status > 0 {
		return command.Ended{Status: status}
	}
	return nil
}

// stillMissing is the exit status of a case that lacks entries and has no other trouble.
const stillMissing = 3
