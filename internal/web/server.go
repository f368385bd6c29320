package web

import (
	"crypto/tls"
	"net/http"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/network"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/reception"
)

// Options of a Server. Daemon and Accounts are needed.
type Options struct {
	Daemon   *control.Client
	Accounts *account.Store
	// TLS is for Secure: at addresses of it the page speaks TLS.
	TLS    *tls.Config
	Secure []string // host:port
	// Plain are addresses without TLS: loopback, and the box's own network. Others are
	// refused.
	Plain []string
	// Names are host names of the gateway; addresses are always taken.
	Names   []string
	Network network.Network
	Version string
	Log     zerolog.Logger
}

// Server is the page. Make it with New and run it once.
type Server struct {
	o       Options
	base    *page.Page
	counter *reception.Counter
	handler http.Handler
}
