// Package profiles serves profiles of the running daemon.
//
// It must not be open to everybody: a server that has them is for root and the daemon's user alone.
package profiles

import (
	"cmp"
	"net/http"
	"runtime/pprof"
	"strconv"
	"time"

	"gatehouse/internal/backoff"
	"gatehouse/internal/socket"
)

// longestProfile bounds a CPU profile.
const longestProfile = 5 * time.Minute

// Stream writes a profile of the running daemon, for go tool pprof: "profile" is of the CPU, for
// ?seconds=30; the others are as runtime/pprof names them, with ?debug=1 or 2 as text. They show
// how often something was done, and so whether somebody came: a server that has them lets only root
// and the daemon's user call.
func Stream(w http.ResponseWriter, r *http.Request, _ socket.None) error {
	if name := r.PathValue("name"); name != "profile" {
		found := pprof.Lookup(name)
		if found == nil {
			return socket.Refused(http.StatusNotFound, "profile is of the processor; others are heap, allocs, goroutine, block, mutex and threadcreate", "no profile %q", name)
		}
		debug, _ := strconv.Atoi(r.FormValue("debug")) // none is 0
		_ = found.WriteTo(w, debug)                    // the caller may be gone
		return nil
	}
	seconds, err := strconv.Atoi(cmp.Or(r.FormValue("seconds"), "30"))
	span := time.Duration(seconds) * time.Second
	if err != nil || span <= 0 || span > longestProfile {
		return socket.Refused(http.StatusBadRequest, "as ?seconds=30", "seconds: want 1 to %d", longestProfile/time.Second)
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		return socket.Refused(http.StatusConflict, "wait until it is over", "the processor is profiled for somebody else")
	}
	defer pprof.StopCPUProfile()
	backoff.Sleep(r.Context(), span)
	return nil
}
