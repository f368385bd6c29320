module gatehouse

go 1.26.0

require (
	github.com/fxamacker/cbor/v2 v2.10.0 // deterministic CBOR of entries and lists
	github.com/rs/zerolog v1.35.1 // the daemon's own log
	github.com/veraison/go-cose v1.3.0 // COSE_Sign1 envelope
	github.com/warthog618/go-gpiocdev v0.9.1 // GPIO character device
	go.bug.st/serial v1.8.0 // serial ports
	go.etcd.io/bbolt v1.5.0 // journal and grants on disk
	golang.org/x/mod v0.42.0 // RFC 6962 tree (sumdb/tlog)
	golang.org/x/sys v0.49.0 // CLOCK_BOOTTIME, adjtimex, poll
)

require (
	github.com/alecthomas/kong v1.17.0 // commands of the tool and the simulator; not linked into gatehoused
	github.com/creack/pty v1.1.24 // ptys of the simulated readers; not linked into gatehoused
	github.com/warthog618/go-gpiosim v0.1.1 // tests on the kernel's gpio-sim
	pgregory.net/rapid v1.3.0 // tests: properties
)

require (
	github.com/pelletier/go-toml/v2 v2.4.3
	golang.org/x/term v0.47.0
)

require (
	github.com/mattn/go-colorable v0.1.14 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/x448/float16 v0.8.4 // indirect
)
