package mandate

import (
	"strconv"
	"time"

	"gatehouse/sync/wire/mandates"
)

// How wide a mandate may be. Doors, days and answers are multiplied, so that a mandate may be wide in
// one of them and not in all: two buildings' worth of doors for a day, or one door for half a year.
const (
	// MostNamed is the most doors x days x answers for named flats, cards or tenancies.
	MostNamed = 4000
	// MostUnnamed is the same for everybody who passed: one door and month, three times.
	MostUnnamed = 93
	// LongestValid is how long a mandate may be good for, LongestEmergency one of an emergency, which
	// also reaches back no longer.
	LongestValid     = 90 * 24 * time.Hour
	LongestEmergency = 24 * time.Hour
)

// width refuses what asks for more than a case needs, and for what has not happened yet: a mandate is
// for a log, and never for watching somebody.
func width(m Mandate) *Refusal {
	r := m.Request
	var doors int64
	for _, g := range r.Gateways {
		doors += int64(len(g.Doors))
	}
	if doors == 0 {
		return refuse(NoScope)
	}
	if r.Until > m.Issued {
		return refuse(Future, day(m.Issued))
	}
	valid := seconds(m.Expires - m.Issued)
	if m.Emergency {
		if doors != 1 || m.Answers != 1 || seconds(r.Until-r.From) > LongestEmergency || valid > LongestEmergency {
			return refuse(EmergencyTooWide)
		}
		return nil
	}
	if valid > LongestValid {
		return refuse(ValidTooLong, number(int64(LongestValid/(24*time.Hour))))
	}
	days := (int64(r.Until-r.From) + 86399) / 86400
	if wide, most := doors*days*int64(m.Answers), Most(r); wide > most {
		return refuse(TooWide, number(doors), number(days), number(int64(m.Answers)), number(wide), number(most))
	}
	return nil
}

// Most is the most doors x days x answers for a request.
func Most(r mandates.Request) int64 {
	if r.Named() {
		return MostNamed
	}
	return MostUnnamed
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// day writes a time of the paper so that a clerk and a program can read it.
func day(unix uint32) string { return time.Unix(int64(unix), 0).UTC().Format("2006-01-02 15:04 UTC") }

func number(n int64) string { return strconv.FormatInt(n, 10) }
