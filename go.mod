module gatehouse

go 1.26.0

require (
	github.com/eclipse/paho.mqtt.golang v1.5.1 // MQTT 3.1.1 to the registry's broker
	github.com/fxamacker/cbor/v2 v2.10.0 // deterministic CBOR of entries and lists
	github.com/pelletier/go-toml/v2 v2.4.3 // site file, strict, with line numbers
	github.com/rs/zerolog v1.35.1 // the daemon's own log
	github.com/veraison/go-cose v1.3.0 // COSE_Sign1 envelope
	github.com/warthog618/go-gpiocdev v0.9.1 // GPIO character device
	go.bug.st/serial v1.8.0 // serial ports: their modes, and the ports themselves where the system is not Linux
	go.etcd.io/bbolt v1.5.0 // journal and grants on disk
	golang.org/x/crypto v0.58.0 // Argon2id of the recovery code
	golang.org/x/mod v0.42.0 // RFC 6962 tree (sumdb/tlog)
	golang.org/x/sys v0.49.0 // CLOCK_BOOTTIME, adjtimex, poll
	golang.org/x/text v0.44.0 // one spelling of a name (NFC); GB 18030 of lists that old systems write
)

require (
	github.com/alecthomas/kong v1.17.0 // commands of the tool, the page, the registry and the simulator; not linked into gatehoused
	github.com/alexedwards/argon2id v1.0.0 // passwords of the page; not linked into gatehoused
	github.com/alexedwards/scs/v2 v2.9.0 // sessions of the page; not linked into gatehoused
	github.com/chromedp/cdproto v0.160.1 // tests: what chromedp sends
	github.com/chromedp/chromedp v0.23.0 // tests: the page in a real Chromium
	github.com/creack/pty v1.1.24 // ptys of the simulated readers; not linked into gatehoused
	github.com/digitorus/timestamp v0.0.0-20250524132541-c45532741eea // tests: plays a time-stamping authority; the newest that Go 1.26 builds
	github.com/nats-io/nats-server/v2 v2.15.2 // the registry's broker; not linked into gatehoused
	github.com/nats-io/nats.go v1.55.0 // the registry's own connection to it
	github.com/transparency-dev/formats v0.1.1 // tests: a stock verifier opens our cosigned checkpoints
	github.com/warthog618/go-gpiosim v0.1.1 // tests on the kernel's gpio-sim
	golang.org/x/term v0.47.0 // whether somebody sits at a terminal, in the tool
	golang.org/x/time v0.16.0 // how often a password may be tried at the page, by address; not linked into gatehoused
	modernc.org/sqlite v1.61.1 // the registry's store; not linked into gatehoused
	pgregory.net/rapid v1.3.0 // tests: properties
	rsc.io/qr v0.2.0 // the sticker at a door, on the page: 4 KB of code that has not had to change in years; not linked into gatehoused
)

require (
	filippo.io/mldsa v0.0.0-20260215214346-43d0283efc3e // indirect
	github.com/antithesishq/antithesis-sdk-go v0.8.0-default-no-op // indirect
	github.com/digitorus/pkcs7 v0.0.0-20230713084857-e76b763bdc49 // indirect
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/mattn/go-colorable v0.1.14 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/minio/highwayhash v1.0.4 // indirect
	github.com/nats-io/jwt/v2 v2.8.2 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sync v0.25.0 // indirect
	modernc.org/libc v1.79.0 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
)
