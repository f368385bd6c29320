package socket

import (
	"context"
	"net"
	"os/user"
	"strconv"
)

// UnknownUser is the user of a caller that the kernel does not name.
const UnknownUser = ^uint32(0)

type userKey struct{}

// User returns the id of the user who made the request of a context, as the kernel knows it; UnknownUser: not known.
func User(ctx context.Context) uint32 {
	if uid, known := ctx.Value(userKey{}).(uint32); known {
		return uid
	}
	return UnknownUser
}

// UserName names the user who made the request of a context: the login where the machine knows one, else the number.
func UserName(ctx context.Context) string {
	uid := User(ctx)
	if uid == UnknownUser {
		return "unknown"
	}
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// withUser stores the user at the other end of a connection, for User.
func withUser(ctx context.Context, conn net.Conn) context.Context {
	uid := UnknownUser
	if c, ok := conn.(*net.UnixConn); ok {
		uid = userOf(c)
	}
	return context.WithValue(ctx, userKey{}, uid)
}
