// Package agreed tells a process of the registry what time it is, and whether that is in doubt. One wrong clock of a
// server must not end a tenancy or mislead a gateway: a wall clock counts only while nothing contradicts it, neither
// CLOCK_BOOTTIME since the last agreed time, nor how long the machine was away, nor the clocks of gateways of at least five
// buildings that a time server disciplines. These raise doubt; none of them sets the time.
//
// In doubt the agreed time stands still until the clock is right again or the operator says that it is. What must not
// wait for a clock does not ask this package: a revocation goes out in doubt as well.
package agreed

import (
	"slices"
	"time"
)

// Limits of doubt.
const (
	// Leap is the most that a wall clock may differ from what was agreed on, by CLOCK_BOOTTIME or by the gateways.
	Leap = 10 * time.Minute
	// follow bounds how fast the agreed time follows smaller steps: by one part in so many of the time that passes. A
	// clock drifts less, and one that is moved slowly shows.
	follow = 1000
	// correct is the most by which a time server may correct a clock that it begins to discipline.
	correct = 48 * time.Hour
	// away is how long a machine may have been off, syncedAway the same if a time server
	// disciplines its clock: a longer outage can't be told from a step.
	away       = 48 * time.Hour
	syncedAway = 60 * 24 * time.Hour
	// voters is how many buildings must have clocks to be heard, voteFor how long a hello counts.
	voters  = 5
	voteFor = 24 * time.Hour
)

// earliest is a time before which no registry of this kind ran.
var earliest = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// reading is one look at the clocks of the machine.
type reading struct {
	Wall   time.Time
	Boot   time.Duration // CLOCK_BOOTTIME
	BootID string        // names the kernel's boot; empty: nothing of before is of use
	Synced bool          // a time server disciplines Wall
}

func (r reading) offset() time.Duration { return time.Duration(r.Wall.UnixNano()) - r.Boot }

// Doubt is why a clock is not trusted; "": it is.
type Doubt string

const (
	None     Doubt = ""
	Unset    Doubt = "unset"    // before any time at which this could run
	Stepped  Doubt = "stepped"  // against CLOCK_BOOTTIME
	Back     Doubt = "back"     // before the time that was agreed on before the start
	Away     Doubt = "away"     // so long after it that a step can't be told from an outage
	Outvoted Doubt = "outvoted" // the gateways' clocks say otherwise
)

// kept is the time that was agreed on last, as it is stored over starts.
type kept struct {
	Wall   time.Time     `json:"wall"`
	Boot   time.Duration `json:"boot_ns"`
	BootID string        `json:"boot_id"`
	Base   time.Duration `json:"base_ns"` // Wall less Boot, as small steps have moved it
	Synced bool          `json:"synced"`
	Doubt  Doubt         `json:"doubt,omitempty"`
	Wrong  bool          `json:"wrong,omitempty"` // it was seen to be wrong since: a start may not launder it
	// Muted is by how much the gateways' clocks were ahead when the operator said that this one is right.
	Muted time.Duration `json:"muted_ns,omitempty"`
}

// judge checks readings of a clock against the agreed time. It reads no clock and no disk. Not safe for concurrent use.
type judge struct {
	state kept
	known bool            // something was ever agreed on
	votes map[string]vote // by building
	// offsets has those of all votes, in order: each transaction of a city asks for the one in the middle.
	offsets []time.Duration
	expiry  time.Duration // since boot; no vote ends before
}

// vote is the newest clock of a building: its wall less our time since boot.
type vote struct {
	offset time.Duration
	heard  time.Duration // since boot
}

// newJudge goes on from what was agreed on before, nil: nothing.
func newJudge(before *kept) *judge {
	j := &judge{votes: make(map[string]vote)}
	if before != nil {
		j.state, j.known = *before, true
	}
	return j
}

// Hear takes the clock of a gateway that a time server disciplines, as it stood at our time since boot.
func (j *judge) Hear(building string, wall time.Time, boot time.Duration) {
	old, there := j.votes[building]
	if there && old.heard > boot {
		return
	}
	if there {
		at, _ := slices.BinarySearch(j.offsets, old.offset)
		j.offsets = slices.Delete(j.offsets, at, at+1)
	}
	v := vote{time.Duration(wall.UnixNano()) - boot, boot}
	at, _ := slices.BinarySearch(j.offsets, v.offset)
	j.offsets, j.votes[building] = slices.Insert(j.offsets, at, v.offset), v
	if end := boot + voteFor; len(j.votes) == 1 || end < j.expiry {
		j.expiry = end
	}
}

// forget drops the votes that have ended.
func (j *judge) forget(boot time.Duration) {
	if boot <= j.expiry {
		return
	}
	j.offsets, j.expiry = j.offsets[:0], boot+voteFor
	for building, v := range j.votes {
		end := v.heard + voteFor
		if end < boot {
			delete(j.votes, building)
			continue
		}
		j.offsets, j.expiry = append(j.offsets, v.offset), min(j.expiry, end)
	}
	slices.Sort(j.offsets)
}

// Look judges a reading. If it is not in doubt it becomes the agreed time.
func (j *judge) Look(r reading) Doubt {
	doubt := j.doubt(r)
	if doubt == None {
		j.agree(r)
	}
	j.state.Doubt = doubt
	j.state.Wrong = j.state.Wrong || doubt == Stepped || doubt == Outvoted
	return doubt
}

func (j *judge) doubt(r reading) Doubt {
	switch {
	case r.Wall.Before(earliest):
		return Unset
	case r.BootID == "": // there is nothing to hold it against
	case j.known && j.sameBoot(r):
		if !j.near(r) {
			return Stepped
		}
	case j.known:
		gap, most := r.Wall.Sub(j.state.Wall), away
		switch {
		case j.state.Wrong:
			most = Leap
		case r.Synced:
			most = syncedAway
		}
		if gap < -Leap {
			return Back
		}
		if gap > most {
			return Away
		}
	}
	if ahead, ok := j.median(r); ok && !within(ahead, Leap) && !within(ahead-j.state.Muted, Leap) {
		return Outvoted
	}
	return None
}

// near reports whether a reading of the same boot is what was agreed on, or its
// correction by a time server that is new.
func (j *judge) near(r reading) bool {
	step := r.offset() - j.state.Base
	return within(step, Leap) || r.Synced && !j.state.Synced && within(step, correct)
}

func (j *judge) sameBoot(r reading) bool { return r.BootID == j.state.BootID && r.Boot >= j.state.Boot }

// agree makes a reading the agreed time. Within one boot the base follows small steps slowly.
func (j *judge) agree(r reading) {
	base := r.offset()
	if j.known && j.sameBoot(r) && within(base-j.state.Base, Leap) {
		most := (r.Boot - j.state.Boot) / follow
		base = j.state.Base + min(max(base-j.state.Base, -most), most)
	}
	synced := r.Synced || j.known && j.sameBoot(r) && j.state.Synced // a server corrects a clock once a boot
	j.state = kept{Wall: r.Wall, Boot: r.Boot, BootID: r.BootID, Base: base, Synced: synced, Muted: j.state.Muted}
	j.known = true
}

// Confirm makes a reading the agreed time on the operator's word, whatever contradicts it.
func (j *judge) Confirm(r reading) {
	j.known = false
	j.agree(r)
	j.state.Muted = 0
	if ahead, ok := j.median(r); ok && !within(ahead, Leap) {
		j.state.Muted = ahead
	}
}

// median is by how much the gateways' clocks are ahead of a reading; ok is false if too few are heard.
func (j *judge) median(r reading) (ahead time.Duration, ok bool) {
	j.forget(r.Boot)
	if len(j.offsets) < voters {
		return 0, false
	}
	return j.offsets[(len(j.offsets)-1)/2] - r.offset(), true
}

// Likely is the most likely time: within one boot the agreed time carried on by
// CLOCK_BOOTTIME. It is never before the agreed time.
func (j *judge) Likely(r reading) time.Time {
	switch {
	case j.state.Doubt == None:
		return r.Wall
	case j.sameBoot(r):
		return j.state.Wall.Add(r.Boot - j.state.Boot)
	case r.Wall.Before(j.state.Wall):
		return j.state.Wall
	}
	return r.Wall
}

func within(d, limit time.Duration) bool { return d <= limit && d >= -limit }
