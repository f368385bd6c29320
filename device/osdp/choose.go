package osdp

import (
	"errors"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// mostErrands is how many commands may go between two POLLs: cards wait for that,
// at 9600 baud behind the errands of 15 other readers, and one that waited for
// 2 s is stale.
const mostErrands = 1

// checks are asked now and then: not every reader reports them by itself.
var checks = [...]struct {
	code, function byte // function of PDCAP that says that there is something to ask; 0: always
	every          time.Duration
}{
	{cmdLStat, 0, 10 * time.Second},
	{cmdIStat, capInputs, time.Minute},
	{cmdOStat, capOutputs, time.Minute},
	{cmdRStat, capReaders, time.Minute},
}

// prepare has a command ready: the one under way, or a new one. False when there
// is nothing to say now.
func (r *Reader) prepare(now time.Time) bool {
	if r.session != nil && !r.link.waiting() && now.Sub(r.began) >= sessionLife {
		r.reset()
	}
	if r.link.waiting() {
		return true
	}
	if r.step == stepChallenge && !r.challenge(now) {
		return false
	}
	f := Frame{Address: r.address, CRC: r.crc}
	f.Code, f.Data, f.Block = r.choose(now)
	err := r.link.put(f.Code, func(dst []byte, sequence byte) ([]byte, error) {
		f.Sequence = sequence
		if r.session != nil {
			return r.session.seal(dst, f, r.scratch[:])
		}
		return f.Append(dst)
	})
	if err != nil {
		r.log.Error().Err(err).Msg("command can't be written")
		r.retreat(fault.Refused, now)
	}
	return err == nil
}

// choose returns the next new command.
func (r *Reader) choose(now time.Time) (code byte, data []byte, block Block) {
	switch r.step {
	case stepIdentify:
		return cmdID, append(r.data[:0], 0), Block{}
	case stepCaps:
		return cmdCap, append(r.data[:0], 0), Block{}
	case stepChallenge:
		return cmdChallenge, append(r.data[:0], r.panel[:]...), r.keyBlock(blockChallenge)
	case stepProve:
		return cmdSCrypt, append(r.data[:0], r.handshake.server[:]...), r.keyBlock(blockSCrypt)
	case stepKeySet:
		return cmdKeySet, append(append(r.data[:0], 1, 16), r.keys.keys.Next[:]...), Block{}
	}
	if r.presence == here && r.secure == (r.session != nil) && r.errands < mostErrands {
		if code, data := r.errand(now); code != 0 {
			r.errands++
			return code, data, Block{}
		}
	}
	r.errands = 0
	return cmdPoll, nil, Block{}
}

// errand returns what there is to tell or to ask, the most urgent first; code 0
// for nothing.
func (r *Reader) errand(now time.Time) (code byte, data []byte) {
	r.mu.Lock()
	code, data = r.switchOutput(now)
	if code == 0 {
		code, data = r.indicate(now)
	}
	if code == 0 && r.setting == nil && r.asked.configure != nil {
		r.setting, r.asked.configure = r.asked.configure, nil
		code, data = cmdComSet, append(r.data[:0], comSet(r.setting.address, r.setting.baud)...)
	}
	rekey := code == 0 && r.asked.rekey
	r.asked.rekey = r.asked.rekey && !rekey
	r.mu.Unlock()
	if rekey && r.session != nil && r.prepareKey(now) {
		r.step = stepKeySet
		code, data, _ = r.choose(now)
	}
	if code != 0 {
		return code, data
	}
	return r.check(now), nil
}

// switchOutput returns the next OUT. An order to switch on that waited for too
// long is dropped: who wanted it has gone.
func (r *Reader) switchOutput(now time.Time) (byte, []byte) {
	for no := range r.asked.outputs {
		o := &r.asked.outputs[no]
		if !o.due {
			continue
		}
		o.due = false
		if o.on && now.Sub(o.at) > staleAfter {
			r.log.Warn().Int("output", no).Msg("output not switched on: too late")
			continue
		}
		if o.on {
			r.outputAt = o.at
		}
		control := byte(1)
		switch {
		case o.on && o.d > 0:
			control = 5
		case o.on:
			control = 2
		case o.d > 0:
			control = 6
		}
		n := ticks(o.d)
		return cmdOut, append(r.data[:0], byte(no), control, byte(n), byte(n>>8))
	}
	return 0, nil
}

// check returns the next question about the reader's state that is due; 0 for none.
func (r *Reader) check(now time.Time) byte {
	if r.keys.dirty && now.Sub(r.saved) >= checks[0].every {
		r.saved = now
		if err := r.keys.save(r.keys.keys); err == nil {
			r.log.Info().Msg("keys of reader saved")
		}
	}
	for i, c := range checks {
		if now.Sub(r.checked[i]) < c.every || r.refused[c.code] || c.function != 0 && !r.can(c.function) {
			continue
		}
		r.checked[i] = now
		return c.code
	}
	return 0
}

// can says that the reader claims to have some of a thing.
func (r *Reader) can(function byte) bool {
	for _, c := range r.caps {
		if c.Function == function {
			return c.Count > 0 || c.Compliance > 0
		}
	}
	return false
}

// showing is the feedback that is being told, one command after the other.
type showing struct {
	what Indication
	next int // 0: LEDs, 1: buzzer, then the texts
}

// indicate returns the next command of a feedback.
func (r *Reader) indicate(now time.Time) (byte, []byte) {
	for r.anythingToShow(now) {
		s, no := &r.show, r.show.next
		s.next++
		data := r.data[:0]
		switch {
		case no == 0 && len(s.what.LEDs) > 0 && r.shows(cmdLED, capLED):
			for _, l := range s.what.LEDs {
				data = l.append(data)
			}
			return cmdLED, data
		case no == 1 && len(s.what.Buzzer) > 0 && r.shows(cmdBuzzer, capBuzzer):
			for _, b := range s.what.Buzzer {
				data = b.append(data)
			}
			return cmdBuzzer, data
		case no >= 2 && r.shows(cmdText, capText):
			return cmdText, s.what.Text[no-2].append(data)
		}
	}
	return 0, nil
}

// anythingToShow says that show.next stands for something: of the feedback at
// hand, or of the next: what lasts, then what passes unless it is over.
func (r *Reader) anythingToShow(now time.Time) bool {
	a := &r.asked
	switch {
	case a.showLasting:
		a.showLasting = false
		r.show = showing{what: r.indication(a.lasting)}
	case r.show.next < 2+len(r.show.what.Text):
	case a.showPassing && now.Sub(a.passed) <= staleAfter:
		a.showPassing = false
		r.show = showing{what: r.indication(a.passing)}
	default:
		a.showPassing = false
		return false
	}
	return true
}

func (r *Reader) indication(f device.Feedback) Indication {
	if r.cfg.Indications != nil {
		return r.cfg.Indications[f]
	}
	return standard[f]
}

// shows says that the reader has a light, a buzzer or a display: its profile or
// it says so, and it did not refuse the command.
func (r *Reader) shows(code, function byte) bool {
	return !r.refused[code] && (r.cfg.Indications != nil || r.can(function))
}

var errNoAnswer = errors.New("no answer: the reader may have taken it")

// endSetting answers who waits in Configure.
func (r *Reader) endSetting(err error) {
	r.mu.Lock()
	waiting := r.asked.configure
	r.asked.configure = nil
	r.mu.Unlock()
	for _, c := range []*comSetting{waiting, r.setting} {
		if c != nil {
			c.result <- err
		}
	}
	r.setting = nil
}
