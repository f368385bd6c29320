package readers

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
)

// TestPaired: the window closes when the key is proved and the line is secured a
// moment later; what is not secured seconds later is not paired.
func TestPaired(t *testing.T) {
	const open = 2 * time.Second
	for after, want := range map[time.Duration]string{
		0: control.LineSecured, 40 * time.Millisecond: control.LineSecured, 3 * time.Second: control.LineSecured,
		3*time.Second + 1: control.LineWaiting, time.Hour: control.LineWaiting,
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			r, err := paired(t.Context(), func() (control.Reader, error) {
				r := control.Reader{Line: control.LineWaiting, OSDP: &control.OSDP{Install: time.Since(begin) < open}}
				if time.Since(begin) >= open+after {
					r.Line = control.LineSecured
				}
				return r, nil
			})
			if took := time.Since(begin); err != nil || r.OSDP.Install || r.Line != want || took > open+installSettle {
				t.Errorf("secured %v after the window: after %v %q (%v), want %q", after, took, r.Line, err, want)
			}
		})
	}
}

// TestWriteReaders: what an OSDP reader says of itself does not move the columns.
func TestWriteReaders(t *testing.T) {
	var b bytes.Buffer
	writeReaders(&b, []control.Reader{
		{Door: "front", ID: "in", Type: "wiegand", Online: true, Line: control.LineUnguarded},
		{Door: "gate", ID: "in", Type: "osdp", Line: control.LineSecured, Fault: "no_answer", Hint: "look",
			OSDP: &control.OSDP{Port: "/dev/bus", Address: 3, Baud: 9600, Vendor: "005349", Model: 1, Version: 2, Serial: "00000001", Firmware: "1.0.0"}},
	})
	want := `front/in  wiegand  line not protected  online
gate/in   osdp     line secured        OUT OF ORDER, last fault: no_answer
  /dev/bus, address 3, 9600 baud: vendor 005349 model 1 version 2 serial 00000001 firmware 1.0.0
  0 retries, 0 bad frames

Whoever`
	if !strings.HasPrefix(b.String(), want) {
		t.Errorf("got:\n%s", &b)
	}
}
