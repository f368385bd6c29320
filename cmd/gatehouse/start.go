// Command gatehouse is the tool of landlord, installer and police. It talks to
// the daemon of the building over its unix socket, and signs what the daemon
// only verifies.
//
// Results go to standard output, questions and faults to standard error. Card
// numbers come by swipe or standard input, never by command line, where every
// user of the machine could read them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a small system has no time zones of its own
)

// version is set by the packager with -ldflags.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
