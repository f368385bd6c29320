package fleet

import (
	"fmt"
	"io"
)

// Report is what was seen of a fleet.
type Report struct {
	Gateways    int     `json:"gateways"`
	Connected   int     `json:"connected"`            // and in step at the end
	ConnectedIn float64 `json:"connected_in_seconds"` // from the first start until all were in step
	Seconds     float64 `json:"seconds"`              // that people came and went
	Entries     uint64  `json:"entries"`              // made in that time
	Ack         Latency `json:"ack"`                  // from an entry until the registry has signed for it
	Revocation  Latency `json:"revocation"`           // from the issuer's order until the gateway's list says so
	Lost        uint64  `json:"lost"`                 // entries that the registry has signed for and that are not stored
	Waiting     uint64  `json:"waiting"`              // entries that it has neither signed for nor stored within Settle
	Doubled     uint64  `json:"doubled"`              // what is stored beyond what was made
	Settle      float64 `json:"settle_seconds"`       // how long was waited at most, for gateways and for the last entries
	Front       Front   `json:"front"`
}

// Front is what the front's process took, broker and store included; zeros where the system does not
// tell.
type Front struct {
	Resident   float64 `json:"resident_mib"`     // with all connected
	PerGateway float64 `json:"kib_a_gateway"`    // what came with the connections, for each
	CPUConnect float64 `json:"cpu_ms_a_connect"` // with handshake, hello and list
	CPUEntry   float64 `json:"cpu_us_an_entry"`  // of all that it did while people came and went
	CPUBusy    float64 `json:"cpu_percent"`      // of one core in that time
}

func (r *Front) connected(before, after usage, gateways int) {
	n := float64(gateways)
	r.Resident = float64(after.resident) / (1 << 20)
	r.PerGateway = float64(after.resident-before.resident) / 1024 / n
	r.CPUConnect = (after.cpu - before.cpu).Seconds() * 1e3 / n
}

func (r *Report) lived(before, after usage) {
	cpu := (after.cpu - before.cpu).Seconds()
	if r.Entries > 0 {
		r.Front.CPUEntry = cpu * 1e6 / float64(r.Entries)
	}
	r.Front.CPUBusy = 100 * cpu / r.Seconds
}

// weigh compares what a gateway entered, counted from 0, with what is stored of it. signed is how many of them the
// registry had signed for before that was read.
func (r *Report) weigh(made, signed uint64, stored map[uint64]int) {
	for n := range made {
		switch times := stored[n]; {
		case times == 0 && n < signed:
			r.Lost++
		case times == 0:
			r.Waiting++
		default:
			r.Doubled += uint64(times - 1)
		}
	}
	for n, times := range stored {
		if n >= made {
			r.Doubled += uint64(times)
		}
	}
}

// Good reports whether all gateways were in step, and everything is stored once.
func (r Report) Good() bool {
	return r.Connected == r.Gateways && r.Lost == 0 && r.Waiting == 0 && r.Doubled == 0
}

// Print says it for people.
func (r Report) Print(w io.Writer) {
	fmt.Fprintf(w, "connected    %d of %d, in step after %.1f s\n", r.Connected, r.Gateways, r.ConnectedIn)
	fmt.Fprintf(w, "entries      %d in %.0f s, %.1f/s\n", r.Entries, r.Seconds, float64(r.Entries)/max(r.Seconds, 1e-9))
	for _, l := range []struct {
		what string
		Latency
	}{{"signed for", r.Ack}, {"revocation", r.Revocation}} {
		fmt.Fprintf(w, "%-12s p50 %.1f ms, p99 %.1f ms, at most %.1f ms, of %d\n", l.what, l.P50, l.P99, l.Max, l.N)
	}
	fmt.Fprintf(w, "stored       lost %d, doubled %d, waiting %d after %.0f s\n", r.Lost, r.Doubled, r.Waiting, r.Settle)
	if f := r.Front; f.Resident > 0 {
		fmt.Fprintf(w, "front        %.0f MiB, %.0f KiB a gateway; CPU %.2f ms a connect, %.0f us an entry, %.0f %% of a core while people came and went\n",
			f.Resident, f.PerGateway, f.CPUConnect, f.CPUEntry, f.CPUBusy)
	}
}
