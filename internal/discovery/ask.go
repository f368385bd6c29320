package discovery

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/osdp"
	"gatehouse/device/pn532"
	"gatehouse/device/serialcard"
	"gatehouse/internal/site"
)

// answerTime is how long a polled module may take for its first answer.
const answerTime = 1500 * time.Millisecond

// osdpSpeeds are the baud rates of SIA OSDP, the usual ones first.
var osdpSpeeds = []int{9600, 115200, 38400, 57600, 19200, 230400}

// moduleSpeed is the default baud rate of polled modules.
const moduleSpeed = 115200

// ask polls every usable port, all at once, and returns those without an answer.
func (l *look) ask() (deaf []string) {
	var all sync.WaitGroup
	for _, p := range l.found.Machine.Ports {
		if why := l.taken(p); len(why) > 0 {
			for _, text := range why {
				l.problem("%s", text)
			}
			continue
		}
		all.Go(func() {
			readers, err := l.speak(p.Path)
			l.heard(readers...)
			if err != nil {
				l.unusable(err)
			} else if len(readers) == 0 {
				l.mu.Lock()
				defer l.mu.Unlock()
				deaf = append(deaf, p.Path)
			}
		})
	}
	all.Wait()
	return deaf
}

// unusable reports a port that failed.
func (l *look) unusable(err error) {
	if errors.Is(err, fs.ErrPermission) {
		l.problem("%v: call it by sudo", err)
		return
	}
	l.problem("%v", err)
}

// taken returns why a port is not polled.
func (l *look) taken(p site.FoundPort) (why []string) {
	if why := l.found.Machine.PortProblems(p); len(why) > 0 {
		return why
	}
	for _, h := range p.Holders {
		if h.Command == "gatehoused" {
			return []string{"port " + p.Path + ": the daemon has it: sudo systemctl stop gatehoused, and call setup again"}
		}
	}
	return nil
}

// speak looks for an answer at a port: OSDP at each speed, then the modules.
func (l *look) speak(path string) (all []Reader, err error) {
	for _, baud := range osdpSpeeds {
		err := device.Use(l.ctx, l.opener(path, baud), func(ctx context.Context, port device.Port) error {
			found, err := osdp.Scan(ctx, port, baud)
			for _, f := range found {
				all = append(all, osdpReader(path, baud, f))
			}
			return err
		})
		if err != nil || len(all) > 0 {
			return all, err
		}
	}
	for _, r := range []Reader{
		{Type: site.TypePN532, Port: path, Baud: moduleSpeed},
		{Type: site.TypeSerial, Port: path, Baud: moduleSpeed, Layout: "7941w"},
	} {
		if l.answers(r) {
			return []Reader{r}, nil
		}
	}
	return nil, l.ctx.Err()
}

func osdpReader(path string, baud int, f osdp.Found) Reader {
	address := int(f.Address)
	r := Reader{Type: site.TypeOSDP, Port: path, Baud: baud, Address: &address, Clear: !f.Secure}
	if f.Identity != nil {
		r.Identity = f.Identity.String()
	}
	return r
}

func (l *look) opener(path string, baud int) func() (device.Port, error) {
	return func() (device.Port, error) { return l.Port(device.PortConfig{Path: path, Baud: baud}) }
}

// answers runs the driver of a polled module until it says that the module is there.
func (l *look) answers(r Reader) bool {
	_, came := first(l.ctx, answerTime, device.CameOnline, l.driver(r))
	return came
}

// driver returns the driver of a polled module.
func (l *look) driver(r Reader) func(context.Context, chan<- device.Event) error {
	open := l.opener(r.Port, r.Baud)
	return func(ctx context.Context, events chan<- device.Event) error {
		if r.Type == site.TypePN532 {
			return pn532.New(pn532.Config{Source: r.Port, Log: l.Log}, open, events).Run(ctx)
		}
		layout, _ := serialcard.Lookup(r.Layout)
		return serialcard.New(serialcard.Config{Source: r.Port, Layout: layout, Log: l.Log}, open, events).Run(ctx)
	}
}

// first runs a reader until it sends an event of a kind, or the time is over. It returns when the
// reader has ended.
func first(ctx context.Context, limit time.Duration, kind device.EventKind, run func(context.Context, chan<- device.Event) error) (came device.Event, ok bool) {
	watch(ctx, limit, run, func(e device.Event) bool {
		if e.Kind == kind && !ok {
			came, ok = e, true
		}
		return ok
	})
	return came, ok
}

// watch runs a reader until one of its events is enough, or the time is over. It returns
// when the reader has ended.
func watch(ctx context.Context, limit time.Duration, run func(context.Context, chan<- device.Event) error, enough func(device.Event) bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	events, ended := make(chan device.Event), make(chan struct{})
	go func() {
		defer close(ended)
		_ = run(ctx, events) // it ends with ctx; what is wrong meanwhile are events
	}()
	for {
		select {
		case e := <-events:
			if enough(e) {
				cancel()
			}
		case <-ended:
			return
		}
	}
}
