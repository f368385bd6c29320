package pn532

import (
	"testing"
	"time"
)

// quick is a port whose far side answers at once, a look for cards with one.
type quick struct {
	in   []byte
	read int
}

func (p *quick) Read(b []byte) (int, error) {
	n := copy(b, p.in[p.read:])
	p.read += n
	return n, nil
}

func (p *quick) Write(b []byte) (int, error) {
	p.in, p.read = append(p.in[:0], ack+cardFrame...), 0
	return len(b), nil
}

func (p *quick) SetReadTimeout(time.Duration) error { return nil }
func (p *quick) Close() error                       { return nil }

// BenchmarkPoll measures one look for a card, beside the time that its 36 bytes
// need on the wire: the module's own work and the pause between two looks are
// far longer.
func BenchmarkPoll(b *testing.B) {
	c := chip{port: &quick{}, limits: usual}
	b.ReportAllocs()
	for b.Loop() {
		got, err := c.list()
		if card, fault := parse(got); err != nil || card.Len() != 32 || fault != 0 {
			b.Fatal(err, fault)
		}
	}
	wire := float64(11+len(ack)+len(cardFrame)) * 10 / 115200 // 10 bits a byte
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/wire, "of-wire-time")
}
