package issuer

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
)

// BenchmarkRevoke: from an operator's command to the list at the front, over
// its socket, in a building of 1,000 grants. The limit beside it is one synced
// write of a file and one call of the socket.
func BenchmarkRevoke(b *testing.B) {
	w := newWorld(b)
	w.enrolled("gw-1")
	w.fill(1000)
	_ = w.i.Close()
	socket := w.front.listen(b)
	client := api.NewClient(socket)
	var err error
	if w.i, err = Open(Options{Dir: w.directory(authority.DirIssuer), Front: client, Log: zerolog.Nop()}); err != nil {
		b.Fatal(err)
	}
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 0).String(), Reason: "lost"}) // the buildings are read
	probe, err := os.Create(filepath.Join(w.dir, "probe"))
	if err != nil {
		b.Fatal(err)
	}
	defer probe.Close()
	page := make([]byte, 32<<10)
	var ours, limit time.Duration
	n := 0
	for b.Loop() {
		begin := time.Now()
		if _, err := probe.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := probe.Sync(); err != nil {
			b.Fatal(err)
		}
		if _, err := client.Status(b.Context()); err != nil {
			b.Fatal(err)
		}
		limit += time.Since(begin)
		act := operator.Act{Act: operator.ActSuspend, Grant: id('g', n/2%90).String(), Reason: "lost"} // one issuer may do so to 100 a day
		if n++; n%2 == 0 {
			act.Act, act.Reason = operator.ActResume, "found"
		}
		begin = time.Now()
		d, err := w.i.act(b.Context(), "bench", act)
		if err != nil || !d.Sent {
			b.Fatal(d, err)
		}
		ours += time.Since(begin)
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N)/1000, "ms/revocation")
	b.ReportMetric(float64(ours)/float64(limit), "x_sync_and_call")
}
