package mqtt_test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/sync/mqtt"
)

// BenchmarkIdle counts what a link that says nothing puts on the wire, from the
// kernel's own count of its segments, and what that makes in a day at the
// default KeepAlive: 1,661 pings. Idle traffic is to stay below 500 KB a day.
func BenchmarkIdle(b *testing.B) {
	for name, start := range map[string]func(testing.TB, days) *broker{"mosquitto": mosquitto, "nats": natsServer} {
		b.Run(name, func(b *testing.B) {
			cfg := as(b, start(b, valid), "gate", "down/gate/#")
			cfg.KeepAlive = 2 * time.Second
			l := run(b, cfg)
			l.is(true)
			time.Sleep(time.Second) // for the last of the connect
			before := tcpInfo(b, mqtt.Socket(l.Link))
			time.Sleep(time.Duration(max(b.N, 5)) * 2500 * time.Millisecond)
			after := tcpInfo(b, mqtt.Socket(l.Link))
			const headers = 20 + 20 + 12 // IPv4, TCP, its timestamps
			segments := float64(after.Segs_in - before.Segs_in + after.Segs_out - before.Segs_out)
			sent := float64(after.Bytes_acked - before.Bytes_acked)
			bytes := sent + float64(after.Bytes_received-before.Bytes_received) + headers*segments
			pings := sent / (5 + 2 + 1 + 16) // record header, PINGREQ, content type, tag
			b.ReportMetric(bytes/pings, "B/ping")
			b.ReportMetric(1661*bytes/pings/1000, "KB/day")
		})
	}
}

func tcpInfo(b *testing.B, c net.Conn) *unix.TCPInfo {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	var info *unix.TCPInfo
	var failed error
	if err := raw.Control(func(fd uintptr) { info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); err != nil {
		b.Fatal(err)
	}
	if failed != nil {
		b.Fatal(failed)
	}
	return info
}
