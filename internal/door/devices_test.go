package door_test

import (
	"cmp"
	"testing"
	"testing/synctest"

	"gatehouse/device"
	"gatehouse/internal/door"
)

// TestReaderStatus: what people see of a reader after it said all this.
func TestReaderStatus(t *testing.T) {
	online, gone := device.Event{Kind: device.CameOnline}, device.Event{Kind: device.WentOffline, Fault: device.FaultNoAnswer}
	seen := func(f device.Fault) device.Event { return device.Event{Kind: device.FaultSeen, Fault: f} }
	on := func(f device.Fault) device.Event { return device.Event{Kind: device.FaultSeen, Fault: f, Active: true} }
	off := func(f device.Fault) device.Event { return device.Event{Kind: device.FaultCleared, Fault: f} }
	at := func(source string, e device.Event) device.Event { e.Source = source; return e }
	card := device.Event{Kind: device.CardRead, Card: device.CardOf(stranger<<18, 26)}
	for name, c := range map[string]struct {
		events []device.Event
		want   door.DeviceStatus // but At
	}{
		"noise only":                {[]device.Event{seen(device.FaultNoise)}, door.DeviceStatus{Fault: device.FaultNoise}},
		"noise after it went":       {[]device.Event{online, gone, seen(device.FaultNoise)}, door.DeviceStatus{Fault: device.FaultNoAnswer}},
		"noise":                     {[]device.Event{online, seen(device.FaultNoise)}, door.DeviceStatus{Online: true, Fault: device.FaultNoise}},
		"noise, then a card":        {[]device.Event{online, seen(device.FaultNoise), card}, door.DeviceStatus{Online: true}},
		"length after a cut wire":   {[]device.Event{online, seen(device.FaultCable), seen(device.FaultLength)}, door.DeviceStatus{Online: true, Fault: device.FaultCable}},
		"has no key":                {[]device.Event{on(device.FaultNoKey)}, door.DeviceStatus{Fault: device.FaultNoKey}},
		"gone, now without its key": {[]device.Event{online, gone, on(device.FaultDowngrade)}, door.DeviceStatus{Fault: device.FaultDowngrade}},
		"opened": {[]device.Event{online, on(device.FaultTamper), seen(device.FaultNoise), card},
			door.DeviceStatus{Online: true, Fault: device.FaultTamper, Lasts: true}},
		"opened, gone and back": {[]device.Event{online, on(device.FaultTamper), gone, online},
			door.DeviceStatus{Online: true, Fault: device.FaultTamper, Lasts: true}},
		"opened, then gone": {[]device.Event{online, on(device.FaultTamper), gone}, door.DeviceStatus{Fault: device.FaultNoAnswer}},
		"opened and closed": {[]device.Event{online, on(device.FaultTamper), off(device.FaultTamper)}, door.DeviceStatus{Online: true}},
		"two, one over": {[]device.Event{online, on(device.FaultTamper), on(device.FaultPower), off(device.FaultPower), seen(device.FaultNoise)},
			door.DeviceStatus{Online: true, Fault: device.FaultTamper, Lasts: true}},
		"over at another reader": {[]device.Event{online, on(device.FaultTamper), at("out", on(device.FaultTamper)), at("out", off(device.FaultTamper)), seen(device.FaultNoise)},
			door.DeviceStatus{Online: true, Fault: device.FaultTamper, Lasts: true}},
		"another one over": {[]device.Event{online, seen(device.FaultNoise), off(device.FaultPower)}, door.DeviceStatus{Online: true, Fault: device.FaultNoise}},
		"over while gone":  {[]device.Event{gone, off(device.FaultTamper)}, door.DeviceStatus{Fault: device.FaultNoAnswer}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, nil)
				for _, e := range c.events {
					e.Source = cmp.Or(e.Source, "in")
					b.events <- e
				}
				synctest.Wait()
				got := b.Status().Devices["in"]
				c.want.At = got.At
				if got != c.want {
					t.Errorf("%+v, want %+v", got, c.want)
				}
			})
		})
	}
}
