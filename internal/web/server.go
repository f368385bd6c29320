package web

import (
	"crypto/tls"
	"net/http"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/network"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/athand"
	"gatehouse/internal/web/officer"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/reception"
)

// Options of a Server. Daemon and Accounts are needed.
type Options struct {
	Daemon   *control.Client
	Accounts *account.Store
	// TLS is the TLS configuration at the addresses Secure.
	TLS    *tls.Config
	Secure []string // host:port
	// Plain are addresses without TLS: loopback, and the box's own network. Others are refused.
	Plain []string
	// Names are host names of the gateway; addresses are always accepted.
	Names   []string
	Network network.Network
	Version string
	Log     zerolog.Logger
}

// Server is the page. It is made by New, and Run may be called once.
type Server struct {
	o       Options
	base    *page.Page
	counter *reception.Counter
	hand    *athand.Watches // who has the gateway at hand at the first run
	officer *officer.Officer
	handler http.Handler
}
