// Package deps keeps modules in go.mod while their users are being written.
package deps

import (
	_ "github.com/eclipse/paho.mqtt.golang"
	_ "github.com/nats-io/nats-server/v2/server"
	_ "github.com/nats-io/nats.go"
	_ "modernc.org/sqlite"
)
