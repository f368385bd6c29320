package osdp

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device/osdp/protocol"
)

// modelReader is a reader's half of the sequence numbers, by the words of SIA
// OSDP: the same bytes with the same number, but for 0, are answered from memory.
type modelReader struct {
	started  bool
	sequence byte
	last     []byte
	acted    []byte // the data of every command that it acted on
}

func (m *modelReader) hear(t *rapid.T, wire []byte) (sequence byte, acked bool) {
	f, err := protocol.Parse(wire[1:])
	if err != nil || wire[0] != protocol.Mark {
		t.Fatalf("heard %X: %v", wire, err)
	}
	switch {
	case f.Sequence == 0:
		m.started = true
	case !m.started:
		return f.Sequence, false
	case f.Sequence == m.sequence:
		if !bytes.Equal(wire, m.last) {
			t.Fatalf("other bytes with the same number %d: %X, before %X", f.Sequence, wire, m.last)
		}
		return f.Sequence, true
	case f.Sequence != m.sequence%3+1:
		t.Fatalf("number %d after %d", f.Sequence, m.sequence)
	}
	m.sequence, m.last = f.Sequence, bytes.Clone(wire)
	m.acted = append(m.acted, f.Data[0])
	return f.Sequence, true
}

// TestLinkModel: whatever is lost on the way, each command is acted on at most
// once, in order, and just once if it was answered.
func TestLinkModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l link
		reader := &modelReader{}
		next := byte(0)
		var answered, possible []byte // data of commands: surely acted on, perhaps
		send := func() {
			if !l.waiting() {
				next++
				err := l.put(protocol.Frame{CRC: true, Code: protocol.CmdLED, Data: []byte{next}}, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				possible = append(possible, next)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"good": func(t *rapid.T) {
				send()
				if _, acked := reader.hear(t, l.pending.tx[:l.pending.n]); !acked {
					l.restart() // NAK 4
					return
				}
				l.answered()
				answered = append(answered, next)
			},
			"command lost": func(*rapid.T) { send() },
			"reply lost":   func(t *rapid.T) { send(); reader.hear(t, l.pending.tx[:l.pending.n]) },
			"panel restarts": func(*rapid.T) {
				l.restart()
			},
			"reader loses power": func(*rapid.T) { reader.started, reader.last = false, nil; reader.sequence = 0 },
			"": func(t *rapid.T) {
				if !ordered(reader.acted, possible) {
					t.Fatalf("acted on %v, sent %v", reader.acted, possible)
				}
				if !ordered(answered, reader.acted) {
					t.Fatalf("acted on %v, answered %v", reader.acted, answered)
				}
			},
		})
	})
}

// ordered says that all of some are in all, in that order, each once. Only a
// command with number 0 is acted on again: it does no harm, being ID or CHLNG.
func ordered(some, all []byte) bool {
	for i := 0; len(some) > 0; i++ {
		if i == len(all) {
			return false
		}
		if all[i] == some[0] {
			for len(some) > 0 && some[0] == all[i] {
				some = some[1:]
			}
		}
	}
	return true
}

func TestLinkRefusesLong(t *testing.T) {
	var l link
	err := l.put(protocol.Frame{Code: protocol.CmdText, Data: make([]byte, maxCommand)}, nil, nil)
	if err == nil || l.waiting() {
		t.Error("a command that readers don't take")
	}
}
