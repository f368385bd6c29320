// Package freeport finds ports for servers of a simulation or a test, which are
// to come back at the same port after a while. No daemon uses it.
package freeport

// Hold fills ports with ports of 127.0.0.1 that are free, for servers that listen
// there now, later or again. Until release, or the end of this process, nobody
// gets one of them who asks for any port, be it to listen or to connect from: a
// port that was only looked for may be another program's a moment later. (Not on
// other systems than Linux: there it is only looked for.)
func Hold(ports []int) (release func(), err error) {
	ends := make([]func(), 0, len(ports))
	release = func() {
		for _, end := range ends {
			end()
		}
	}
	for i := range ports {
		var end func()
		if ports[i], end, err = hold(); err != nil {
			release()
			return nil, err
		}
		ends = append(ends, end)
	}
	return release, nil
}
