// Package address knows the page's own host names, and at which addresses it may speak without TLS.
package address

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Own reports whether a request is for this gateway: for an address, or one of its names. Another
// name may lead here by a foreign name server, whose page would then be "the same origin" (DNS
// rebinding).
func Own(hostport string, names []string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	own := append([]string{"localhost", "gatehouse.local"}, names...)
	if name, err := os.Hostname(); err == nil {
		own = append(own, strings.ToLower(name), strings.ToLower(name)+".local")
	}
	return slices.Contains(own, host)
}

// Plain refuses an address without TLS that is not on the machine itself or in one of its private
// networks: a password would cross the internet.
func Plain(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q of the page: %w", address, err)
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()) {
		return nil
	}
	return fmt.Errorf("the page without TLS at %q: only at an address of the box's own network, such as 127.0.0.1:8080 or 192.168.4.1:80; use --listen for all others", address)
}
