// Package freeport finds ports for the servers of tests. It is linked into no
// program.
package freeport

import "testing"

// Hold returns a port of 127.0.0.1 that is free, for a server that listens on it
// now, later or again. Until the test ends nobody gets it who asks for any port,
// be it to listen or to connect from: a port that was only looked for may be
// another program's a moment later.
func Hold(t testing.TB) int {
	t.Helper()
	port, release, err := hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}
