package mqtt

import "net"

// SameID gives l the client id of other, which nobody can know by right.
func SameID(l, other *Link) { l.clientID = other.clientID }

// Limit is Jitter.limit after the defaults.
var Limit = Jitter.limit

// Advice is the text of an error.
var Advice = advice

// Backlog is how many messages wait.
const Backlog = backlog

// Socket is the connection of a link that is up.
func Socket(l *Link) net.Conn { return l.session.conn.raw }
