package devicetest_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

// A building with one button and one lock, and a daemon that lets people out.
func Example() {
	board, err := devicetest.NewBoard(devicetest.BoardConfig{
		Chip: "sim0",
		Lines: []devicetest.Line{
			{Name: "exit", Offset: 5, PullUp: true, ActiveLow: true},
			{Name: "strike", Offset: 17, Output: true},
		},
		Changed: func(c devicetest.Change) { fmt.Printf("%s: driven %v, active %v\n", c.Line, c.Driven, c.Active) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	near, far := net.Pipe()
	served := make(chan error)
	go func() { served <- board.Serve(context.Background(), near) }()

	daemon := devicetest.NewRemote(far)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() { done <- daemon.Run(ctx) }()
	button, err := daemon.Lines(device.LinesConfig{Chip: "sim0", Offsets: []int{5}, ActiveLow: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	strike, err := daemon.Output(device.OutputConfig{Chip: "sim0", Offset: 17})
	if err != nil {
		fmt.Println(err)
		return
	}

	if err := board.Pulse("exit", time.Millisecond); err != nil {
		fmt.Println(err)
		return
	}
	edges := make([]device.Edge, 1)
	if _, err := button.ReadEdges(edges, time.Minute); err == nil && edges[0].Active {
		_ = strike.Set(true)
	}
	cancel() // the daemon dies with the strike released
	<-done
	<-served
	// Output:
	// strike: driven true, active false
	// strike: driven true, active true
	// strike: driven false, active false
}
