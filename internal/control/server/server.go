// Package server answers the tool and the page on the daemon's unix socket: HTTP and
// JSON, with the messages of package control.
//
// It refuses to decide: a request acts through the gateway, whose doors never wait for
// it. docs/refusals.md says what is not among its routes.
package server

import (
	"context"
	"gatehouse/internal/control/server/takeover"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/control/server/exits"
	"gatehouse/internal/control/server/forgetting"
	"gatehouse/internal/control/server/gate"
	"gatehouse/internal/control/server/inquiries"
	"gatehouse/internal/control/server/keyfile"
	"gatehouse/internal/control/server/mine"
	"gatehouse/internal/control/server/profiles"
	"gatehouse/internal/control/server/rescue"
	"gatehouse/internal/control/server/todo"
	"gatehouse/internal/gateway"
	"gatehouse/internal/network"
	"gatehouse/internal/socket"
)

// Options of a Server.
type Options struct {
	Version string          // of the daemon
	Network network.Network // where the socket is
	// Look is how often the server checks whether the socket is still there; 0: 5 s.
	Look time.Duration
	// Watch is how often the list of things to do is computed without a request; 0: a minute,
	// negative: only at requests.
	Watch time.Duration
	// Profiles makes the server answer with profiles of the daemon, too. Then the socket is for
	// root and the daemon's user alone.
	Profiles bool
	// Again restarts the daemon, which is needed where its keys have changed; nil: not possible.
	Again    func()
	Registry network.Network // where the registry's HTTPS is
	Log      zerolog.Logger
}

// Server answers the tool. Make it with New, and run Serve beside the gateway.
type Server struct {
	o       Options
	socket  *socket.Server
	learner *learner
	report  report
	book    *acceptance.Book
}

// maxRequest bounds a request, in bytes: a whole list of 100,000 grants in base64.
const maxRequest = 32 << 20

// New makes the server of a gateway. It reads which doors were tested today, and the proofs at
// them.
func New(g *gateway.Gateway, o Options) *Server {
	if o.Look <= 0 {
		o.Look = 5 * time.Second
	}
	if o.Watch == 0 {
		o.Watch = time.Minute
	}
	mode, callers := os.FileMode(0o660), Group
	if o.Profiles {
		mode, callers = 0o600, ""
	}
	book := openBook(logs{g, o.Log})
	srv := &Server{o: o, learner: &learner{Gateway: g}, book: book, report: report{g, book, o.Version, time.Now(), &todo.Since{}}, socket: socket.NewServer(socket.Options{Path: g.Site.Socket, Name: "daemon", Network: o.Network,
		Mode: mode, Group: callers, Look: o.Look, Grace: time.Second, MostBody: maxRequest, Admit: gate.New(routeRoles).Admit, Log: o.Log})}
	srv.routes(g)
	return srv
}

// routes registers all routes of the daemon.
func (srv *Server) routes(g *gateway.Gateway) {
	s, log := srv.socket, srv.o.Log
	socket.Handle(s, "GET /v1/status", srv.report.getStatus)
	socket.Handle(s, "GET /v1/setup", getSetup)
	shown := logs{g, log}
	socket.Stream(s, "GET /v1/log", shown.streamLog)
	tested := doorTest{shown, newDoorTests(g.Site.Path("doortests.json"), g.Clock.Elapsed, g.Site.DoorIDs(), log)}
	socket.Stream(s, "POST /v1/doors/{door}/test", tested.streamTest)
	proved := proofs{tested, srv.book}
	socket.Handle(s, "GET /v1/acceptance", proved.getAcceptance)
	socket.Handle(s, "POST /v1/acceptance", proved.postAcceptance)
	socket.Handle(s, "POST /v1/doors/{door}/proofs/{part}", proved.postProof)
	socket.Handle(s, "GET /v1/fire/drill", proved.getDrill)
	socket.Handle(s, "POST /v1/fire/drill", proved.postDrill)
	socket.Handle(s, "POST /v1/fire/drill/end", proved.postDrillEnd)
	doors := acts{g}
	socket.Handle(s, "POST /v1/doors/{door}/release", doors.postRelease)
	socket.Handle(s, "POST /v1/doors/{door}/lock", doors.postLock)
	socket.Handle(s, "POST /v1/fire/reset", doors.postFireReset)
	socket.Handle(s, "POST /v1/access", doors.postAccess)
	clock := clocks{Gateway: g}
	socket.Handle(s, "POST /v1/clock/confirm", clock.postClockConfirm)
	socket.Handle(s, "POST /v1/clock/ask", clock.postClockAsk)
	socket.Handle(s, "POST /v1/clock/set", clock.postClockSet)

	rescue.Routes(s, g)
	list := grants{g, log}
	socket.Handle(s, "GET /v1/keys", list.getKeys)
	socket.Handle(s, "GET /v1/grants", list.getGrants)
	socket.Handle(s, "PUT /v1/grants", list.putGrants)
	socket.Handle(s, "POST /v1/swipe", list.postSwipe)
	socket.Handle(s, "POST /v1/printed", list.postPrinted)
	takeover.Handle(s, g)
	exits.Handle(s, g)
	inquiries.Handle(s, g, srv.o.Version)
	forgetting.Handle(s, g)
	turn := new(keyfile.Turn)
	socket.Stream(s, "POST /v1/enrol", enrolling{g, srv.o, turn}.streamEnrol)
	keyfile.Handle(s, g, log, srv.o.Again, turn)
	desk := counter{g}
	socket.Handle(s, "POST /v1/desk", atDesk(desk.postDesk))
	socket.Handle(s, "DELETE /v1/desk/{session}", atDesk(desk.deleteDesk))
	socket.Handle(s, "POST /v1/desk/{session}/swipe", atDesk(desk.postDeskSwipe))
	socket.Handle(s, "POST /v1/desk/{session}/pin", atDesk(desk.postDeskPIN))
	socket.Handle(s, "POST /v1/desk/{session}/checkin", atDesk(desk.postCheckIn))
	socket.Handle(s, "POST /v1/desk/{session}/change", atDesk(desk.postChange))
	socket.Handle(s, "GET /v1/tenancies", atDesk(desk.getTenancies))
	socket.Handle(s, "GET /v1/tenancy", atDesk(desk.getTenancy))

	socket.Handle(s, "GET /v1/guests", atDesk(desk.guests().Get))
	socket.Handle(s, "POST /v1/guests/{id}/end", atDesk(desk.guests().PostEnd))
	socket.Handle(s, "POST /v1/pass", atDesk(desk.guests().PostPass))
	socket.Handle(s, "POST /v1/resident/{act}", atDesk(desk.postResident))
	mine.Handle(s, mine.New(g, tenancyOf), deskFailure)

	srv.readerRoutes(g)
	if srv.o.Profiles {
		socket.Stream(s, "GET /debug/pprof/{name}", profiles.Stream)
	}
}

// readerRoutes registers the routes of the readers at the doors.
func (srv *Server) readerRoutes(g *gateway.Gateway) {
	s := srv.socket
	const reader = "/v1/doors/{door}/readers/{reader}/"
	all := readers{g}
	socket.Handle(s, "GET /v1/readers", all.getReaders)
	socket.Handle(s, "POST "+reader+"install", all.postInstall)
	socket.Handle(s, "DELETE "+reader+"install", all.deleteInstall)
	socket.Handle(s, "POST "+reader+"rekey", all.postRekey)
	socket.Handle(s, "POST "+reader+"configure", all.postConfigure)
	socket.Handle(s, "POST "+reader+"teach", srv.learner.postLearnFormat)
	socket.Handle(s, "DELETE "+reader+"teach", srv.learner.deleteLearnFormat)
}

// Group is the group that may use the socket. Where it is missing only the daemon's user may.
const Group = "gatehouse"

// Serve answers the tool on the unix socket until ctx ends, and returns when no request is being
// answered any more. A socket that can't be opened is tried again.
func (srv *Server) Serve(ctx context.Context) {
	defer srv.learner.learning.close()
	defer func() {
		if err := srv.book.Stop(); err != nil {
			srv.o.Log.Error().Err(err).Msg("that the daemon ends in order can't be noted: its next start takes this for a plug that was pulled")
		}
	}()
	var looking sync.WaitGroup
	defer looking.Wait()
	if srv.o.Watch > 0 {
		looking.Go(func() { srv.report.watch(ctx, srv.o.Watch) })
	}
	srv.socket.Keep(ctx)
}
