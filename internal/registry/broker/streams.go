package broker

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxKeepers is how many subscriptions with QoS 1 or 2 there may be. No gateway
// of ours has one; each is a consumer with a store of its own.
const maxKeepers = 256

// bounds are the server's stores for sessions, retained messages and messages that are
// to be confirmed. The server would make them without limits, and who filled them would
// shut everybody out, since it lets nobody in whose session it can't keep. With these
// the oldest goes, and none of it is ours. Together they are less than maxStore.
var bounds = []jetstream.StreamConfig{
	{Name: "$MQTT_sess", Subjects: []string{"$MQTT.sess.>"}, MaxMsgsPerSubject: 1, MaxBytes: 64 << 20},
	{Name: "$MQTT_msgs", Subjects: []string{"$MQTT.msgs.>"}, Retention: jetstream.InterestPolicy, MaxBytes: 16 << 20, MaxConsumers: maxKeepers},
	{Name: "$MQTT_rmsgs", Subjects: []string{"$MQTT.rmsgs.>"}, MaxMsgsPerSubject: 1, MaxBytes: 16 << 20},
	{Name: "$MQTT_qos2in", Subjects: []string{"$MQTT.qos2.in.>"}, MaxMsgsPerSubject: 1, MaxBytes: 16 << 20},
	{Name: "$MQTT_out", Subjects: []string{"$MQTT.out.>"}, Retention: jetstream.InterestPolicy, MaxBytes: 4 << 20, MaxConsumers: maxKeepers},
}

// bound makes the stores. It is called before the first client may connect, for which
// the server would make them.
func bound(ctx context.Context, conn *nats.Conn) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	for _, c := range bounds {
		c.Discard = jetstream.DiscardOld
		if _, err := js.CreateStream(ctx, c); err != nil {
			return fmt.Errorf("bound the store %s: %w", c.Name, err)
		}
	}
	return nil
}
