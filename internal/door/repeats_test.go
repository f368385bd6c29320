package door_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
)

// TestDenialFlood: ten denials a second for an hour, by one card and by many.
// The journal stays small and a resident in between gets in and is recorded.
func TestDenialFlood(t *testing.T) {
	for name, cards := range map[string]int{"one card on two readers": 1, "many cards": 40} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, func(c *door.Config, _ *door.Parts) { c.Hold = 0 })
				sent := 0
				for s := range 3600 {
					for i := range 10 {
						b.swipe([]string{"in", "side"}[i%2], byte(stranger+(s*10+i)%cards))
						sent++
						time.Sleep(100 * time.Millisecond)
					}
					if s%600 == 0 {
						b.swipe("in", known)
					}
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				checkFlood(t, b, sent)
			})
		})
	}
}

func checkFlood(t *testing.T, b *bench, sent int) {
	t.Helper()
	var granted, counted int
	for _, h := range b.book.only(wire.KindAccess) {
		if h.Outcome == wire.OutcomeGranted {
			granted++
		} else {
			counted++
		}
	}
	for _, k := range []wire.Kind{wire.KindRepeated, wire.KindFlood} {
		for _, h := range b.book.only(k) {
			counted += int(h.Count)
		}
	}
	if granted != 6 {
		t.Errorf("%d granted entries, want 6", granted)
	}
	if counted != sent {
		t.Errorf("the entries account for %d denials of %d", counted, sent)
	}
	if n := len(b.book.entries); n > 61*17+6*4 {
		t.Errorf("%d entries in an hour", n)
	}
}

// TestLooseContact: a wire that chatters for an hour can't flush the log, and
// every change is accounted for.
func TestLooseContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		const changes = 36_000
		for i := range changes {
			b.input(device.InputContact, i%2 == 0)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		counted := len(b.book.only(wire.KindClosed)) + len(b.book.only(wire.KindForced)) + len(b.book.only(wire.KindOpened))
		if n := len(b.book.entries); n > 61*122 {
			t.Errorf("%d entries in an hour", n)
		}
		for _, h := range b.book.only(wire.KindFlood) {
			counted += int(h.Count)
		}
		if want := changes / 2 * 3; counted != want { // forced, no longer forced, closed
			t.Errorf("the entries account for %d changes of %d", counted, want)
		}
	})
}

// TestReaderNews: tamper begins and ends, a key is exchanged: all of it stands in
// the log, and a card does not hide the tamper.
func TestReaderNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.events <- device.Event{Kind: device.FaultSeen, Source: "in", Fault: fault.Tamper, Active: true}
		b.swipe("in", known)
		if f := b.Status().Devices["in"].Fault; f != fault.Tamper {
			t.Errorf("status says %v", f)
		}
		b.events <- device.Event{Kind: device.FaultCleared, Source: "in", Fault: fault.Tamper}
		for k := device.InstallOpened; k <= device.KeyFailed; k++ {
			b.events <- device.Event{Kind: k, Source: "in"}
		}
		synctest.Wait()
		if f := b.Status().Devices["in"].Fault; f != fault.None {
			t.Errorf("status says %v", f)
		}
		faults := b.book.only(wire.KindFault)
		if len(faults) != 2 || faults[0].Outcome != wire.OutcomeActive || !faults[0].Alarm() || faults[1].Outcome != wire.OutcomeIdle || faults[1].Alarm() {
			t.Errorf("faults %+v", faults)
		}
		var news []string
		for _, h := range b.book.only(wire.KindReader) {
			news = append(news, h.Reason.String())
		}
		if want := []string{"install_opened", "install_closed", "key_sent", "key_proved", "key_failed"}; !slices.Equal(news, want) {
			t.Errorf("news %q", news)
		}
	})
}

// TestFaultThatComesAndGoes: a contact that shakes all day fills no log, and what
// is over in the end is over there.
func TestFaultThatComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		for range 1000 {
			b.events <- device.Event{Kind: device.FaultSeen, Source: "in", Fault: fault.Tamper, Active: true}
			b.events <- device.Event{Kind: device.FaultCleared, Source: "in", Fault: fault.Tamper}
			synctest.Wait()
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		faults, repeated := b.book.only(wire.KindFault), b.book.only(wire.KindRepeated)
		if len(faults) != 2 || faults[1].Outcome != wire.OutcomeIdle || len(repeated) != 1 || repeated[0].Count != 999 {
			t.Errorf("faults %+v, repeated %+v", faults, repeated)
		}
		b.events <- device.Event{Kind: device.FaultSeen, Source: "in", Fault: fault.Tamper, Active: true}
		time.Sleep(time.Hour)
		b.events <- device.Event{Kind: device.FaultCleared, Source: "in", Fault: fault.Tamper}
		synctest.Wait()
		if faults = b.book.only(wire.KindFault); len(faults) != 4 || faults[3].Outcome != wire.OutcomeIdle {
			t.Errorf("faults %+v", faults)
		}
	})
}

func (b *bench) fault(source string, f fault.Code, on bool) {
	e := device.Event{Kind: device.FaultCleared, Source: source, Fault: f}
	if on {
		e.Kind, e.Active = device.FaultSeen, true
	}
	b.events <- e
	synctest.Wait()
}

// outcomes of a fault's entries so far: whether it was there or over.
func (b *bench) outcomes(source string, f fault.Code) (all []wire.Outcome) {
	for _, h := range b.book.only(wire.KindFault) {
		if h.Source == source && h.Reason == wire.Reason(f) {
			all = append(all, h.Outcome)
		}
	}
	return all
}

// TestFaultsInTheLog: what the log says last of a fault is true within a minute,
// and what it says of one is of no other.
func TestFaultsInTheLog(t *testing.T) {
	const on, off = wire.OutcomeActive, wire.OutcomeIdle
	flood := func(b *bench) {
		for f := fault.None + 1; f <= 10; f++ {
			b.events <- device.Event{Kind: device.FaultSeen, Source: "out", Fault: f}
		}
		synctest.Wait()
	}
	for name, c := range map[string]struct {
		do   func(*bench)
		want []wire.Outcome
	}{
		"shakes and stays": {func(b *bench) {
			for range 3 {
				b.fault("in", fault.Tamper, true)
				b.fault("in", fault.Tamper, false)
			}
			b.fault("in", fault.Tamper, true)
			time.Sleep(time.Hour)
		}, []wire.Outcome{on, off, on}},
		"ends among many others": {func(b *bench) {
			b.fault("in", fault.Tamper, true)
			time.Sleep(time.Hour)
			flood(b)
			b.fault("in", fault.Tamper, false)
		}, []wire.Outcome{on, off}},
		"begins among many others": {func(b *bench) {
			flood(b)
			b.fault("in", fault.Tamper, true)
			time.Sleep(time.Hour)
			b.fault("in", fault.Tamper, false)
		}, []wire.Outcome{on, off}},
		"shakes among many others": {func(b *bench) {
			flood(b)
			for range 100 {
				b.fault("in", fault.Tamper, true)
				b.fault("in", fault.Tamper, false)
			}
			time.Sleep(time.Hour)
		}, nil},
		"told twice": {func(b *bench) {
			b.fault("in", fault.Tamper, true)
			b.fault("in", fault.Tamper, true)
			time.Sleep(time.Hour)
		}, []wire.Outcome{on}},
		"shakes and stays, others begin": {func(b *bench) {
			b.fault("in", fault.Tamper, true)
			b.fault("in", fault.Tamper, false)
			b.fault("in", fault.Tamper, true)
			b.fault("in", fault.Power, true)
			b.fault("out", fault.Tamper, true)
			time.Sleep(time.Hour)
		}, []wire.Outcome{on, off, on}},
		"began before the start": {func(b *bench) { b.fault("in", fault.Tamper, false) }, []wire.Outcome{off}},
		"another fault, another reader": {func(b *bench) {
			for range 3 {
				b.fault("in", fault.Power, true)
				b.fault("in", fault.Power, false)
				b.fault("out", fault.Tamper, true)
				b.fault("out", fault.Tamper, false)
			}
			b.fault("in", fault.Tamper, true)
			b.fault("in", fault.Tamper, false)
		}, []wire.Outcome{on, off}},
		"there at the stop": {func(b *bench) {
			b.fault("in", fault.Tamper, true)
			b.fault("in", fault.Tamper, false)
			b.fault("in", fault.Tamper, true)
			b.stop()
			<-b.done
		}, []wire.Outcome{on, off, on}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, nil)
				c.do(b)
				if got := b.outcomes("in", fault.Tamper); !slices.Equal(got, c.want) {
					t.Errorf("the log says %v, want %v", got, c.want)
				}
			})
		})
	}
}
