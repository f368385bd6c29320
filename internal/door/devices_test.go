package door_test

import (
	"cmp"
	"testing"
	"testing/synctest"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/door"
)

// TestReaderStatus: what people see of a reader after it said all this.
func TestReaderStatus(t *testing.T) {
	online, gone := device.Event{Kind: device.CameOnline}, device.Event{Kind: device.WentOffline, Fault: fault.NoAnswer}
	seen := func(f fault.Code) device.Event { return device.Event{Kind: device.FaultSeen, Fault: f} }
	on := func(f fault.Code) device.Event { return device.Event{Kind: device.FaultSeen, Fault: f, Active: true} }
	off := func(f fault.Code) device.Event { return device.Event{Kind: device.FaultCleared, Fault: f} }
	at := func(source string, e device.Event) device.Event { e.Source = source; return e }
	card := device.Event{Kind: device.CardRead, Card: device.CardOf(stranger<<18, 26)}
	for name, c := range map[string]struct {
		events []device.Event
		want   door.DeviceStatus // but At
	}{
		"noise only":                {[]device.Event{seen(fault.Noise)}, door.DeviceStatus{Fault: fault.Noise}},
		"noise after it went":       {[]device.Event{online, gone, seen(fault.Noise)}, door.DeviceStatus{Fault: fault.NoAnswer}},
		"noise":                     {[]device.Event{online, seen(fault.Noise)}, door.DeviceStatus{Online: true, Fault: fault.Noise}},
		"noise, then a card":        {[]device.Event{online, seen(fault.Noise), card}, door.DeviceStatus{Online: true}},
		"length after a cut wire":   {[]device.Event{online, seen(fault.Cable), seen(fault.Length)}, door.DeviceStatus{Online: true, Fault: fault.Cable}},
		"has no key":                {[]device.Event{on(fault.NoKey)}, door.DeviceStatus{Fault: fault.NoKey}},
		"gone, now without its key": {[]device.Event{online, gone, on(fault.Downgrade)}, door.DeviceStatus{Fault: fault.Downgrade}},
		"opened": {[]device.Event{online, on(fault.Tamper), seen(fault.Noise), card},
			door.DeviceStatus{Online: true, Fault: fault.Tamper, Lasts: true}},
		"opened, gone and back": {[]device.Event{online, on(fault.Tamper), gone, online},
			door.DeviceStatus{Online: true, Fault: fault.Tamper, Lasts: true}},
		"opened, then gone": {[]device.Event{online, on(fault.Tamper), gone}, door.DeviceStatus{Fault: fault.NoAnswer}},
		"opened and closed": {[]device.Event{online, on(fault.Tamper), off(fault.Tamper)}, door.DeviceStatus{Online: true}},
		"two, one over": {[]device.Event{online, on(fault.Tamper), on(fault.Power), off(fault.Power), seen(fault.Noise)},
			door.DeviceStatus{Online: true, Fault: fault.Tamper, Lasts: true}},
		"over at another reader": {[]device.Event{online, on(fault.Tamper), at("out", on(fault.Tamper)), at("out", off(fault.Tamper)), seen(fault.Noise)},
			door.DeviceStatus{Online: true, Fault: fault.Tamper, Lasts: true}},
		"another one over": {[]device.Event{online, seen(fault.Noise), off(fault.Power)}, door.DeviceStatus{Online: true, Fault: fault.Noise}},
		"over while gone":  {[]device.Event{gone, off(fault.Tamper)}, door.DeviceStatus{Fault: fault.NoAnswer}},
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
