// Package enrolment is the front's HTTPS server, for gateways whose certificate is missing or
// expired. It limits the requests of strangers and passes the others to the issuer, which alone
// judges them.
package enrolment

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/front/shelf"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

const (
	maxBody     = wire.MaxMessage  // most bytes of a request
	requestTime = 30 * time.Second // to read a request; with its answer twice that
	grace       = 2 * time.Second  // for running requests at the end
)

// Options of a Server. All but Witness are needed.
type Options struct {
	Roster      *roster.Roster
	Inbox       *inbox.Inbox
	Shelf       *shelf.Shelf
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	PerMinute   int // requests from one address
	// Witness answers logs of others, whose requests are counted apart; nil: there are none.
	Witness          http.Handler
	WitnessPerMinute int
	Log              zerolog.Logger
	ErrorLog         *log.Logger // for failed connections
}

// Server answers gateways. It is safe for concurrent use.
type Server struct {
	o       Options
	refused atomic.Uint64
}

// New returns a Server. Serve starts it.
func New(o Options) *Server { return &Server{o: o} }

// Refused returns how many requests were refused before they reached the issuer.
func (s *Server) Refused() uint64 { return s.refused.Load() }

// Serve answers gateways on a listener until ctx ends. It is TLS 1.3 without client certificates: a
// gateway that enrols has none, and one that renews may have an expired one. Its signature counts.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	l = tls.NewListener(newFewConns(l), &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: s.o.Certificate, NextProtos: []string{"http/1.1"}})
	return socket.ServeHTTP(ctx, l, &http.Server{Handler: s.handler(), ReadTimeout: requestTime, WriteTimeout: 2 * requestTime, ErrorLog: s.o.ErrorLog}, grace)
}

// handler passes requests of gateways to the issuer, except those that the issuer would certainly
// refuse.
func (s *Server) handler() http.Handler {
	limit := newRateLimit(s.o.PerMinute)
	mux := http.NewServeMux()
	handle := func(path string, read func(body []byte) (api.Enrolment, error)) {
		mux.HandleFunc("POST "+path, limited(limit, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if err != nil {
				refuse(w, http.StatusRequestEntityTooLarge, "the request can't be read, or is too large", "")
				return
			}
			e, err := read(body)
			if err != nil {
				s.forbid(w, err)
				return
			}
			s.passOn(r.Context(), w, e)
		}))
	}
	handle("/v1/introduce", readIntroduce)
	handle("/v1/enrol", readEnrol)
	handle("/v1/renew", s.readRenew)
	backups := snapshots{s, make(chan struct{}, uploads)}
	mux.HandleFunc("POST /v1/snapshot", limited(limit, backups.keep))
	mux.HandleFunc("POST /v1/snapshot/fetch", limited(limit, backups.fetch))
	if s.o.Witness != nil {
		mux.HandleFunc("POST /witness/add-checkpoint", limited(newRateLimit(s.o.WitnessPerMinute), s.o.Witness.ServeHTTP))
	}
	return mux
}

func readIntroduce(body []byte) (api.Enrolment, error) {
	var p struct {
		Building string `json:"building"`
		Gateway  string `json:"gateway"`
		Proof    string `json:"proof"`
	}
	if err := json.Unmarshal(body, &p); err != nil || !wire.ValidName(p.Building, false) || !wire.ValidName(p.Gateway, false) {
		return api.Enrolment{}, errors.New("the request names no building and gateway")
	}
	proof, err := hex.DecodeString(p.Proof)
	if err != nil || len(proof) != len(wire.Hash{}) {
		return api.Enrolment{}, errors.New("the request does not prove that it has a token")
	}
	return api.Enrolment{Kind: api.KindIntroduce, Place: api.Place{Building: p.Building, Gateway: p.Gateway}, Proof: proof}, nil
}

// addressed returns the gateway that an envelope names, without verifying its signature.
func addressed(envelope []byte, kind string) (api.Place, error) {
	_, p, _ := wire.Open(envelope, wire.Expect{}, nil)
	building, gateway, _ := strings.Cut(p.Address, "/")
	if p.Type != kind || building == "" || gateway == "" {
		return api.Place{}, errors.New("the request is no signed " + kind + " request of a gateway")
	}
	return api.Place{Building: building, Gateway: gateway}, nil
}

func readEnrol(body []byte) (api.Enrolment, error) {
	p, err := addressed(body, wire.TypeEnrol)
	return api.Enrolment{Kind: api.KindEnrol, Place: p, Envelope: body}, err
}

// readRenew accepts only requests that a member has signed.
func (s *Server) readRenew(body []byte) (api.Enrolment, error) {
	p, key, err := s.member(body, wire.TypeRenew)
	if err != nil {
		return api.Enrolment{}, err
	}
	_, _, err = wire.Open(body, wire.Expect{Type: wire.TypeRenew, Role: wire.RoleGateway, Address: p.Address()}, []wire.Key{key})
	return api.Enrolment{Kind: api.KindRenew, Place: p, Envelope: body}, err
}

// passOn waits for the issuer's answer, and passes it on.
func (s *Server) passOn(ctx context.Context, w http.ResponseWriter, e api.Enrolment) {
	if body, ok := s.ask(ctx, w, e); ok {
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}
}

// ask waits for the issuer's answer. It answers itself if that is a refusal, or there is none.
func (s *Server) ask(ctx context.Context, w http.ResponseWriter, e api.Enrolment) (body []byte, ok bool) {
	a, err := s.o.Inbox.Ask(ctx, e)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.Header().Set("Retry-After", "30")
		refuse(w, http.StatusServiceUnavailable, err.Error(), "the registry's operator has to start registryd issue; try again later, the token stays good")
	case a.Error != "":
		s.o.Log.Warn().Str("gateway", e.Place.Address()).Str("kind", e.Kind).Str("why", a.Error).Msg("the issuer refuses an enrolment")
		refuse(w, http.StatusForbidden, a.Error, a.Hint)
	default:
		s.o.Log.Info().Str("gateway", e.Place.Address()).Str("kind", e.Kind).Msg("the issuer answered an enrolment")
		return a.Body, true
	}
	return nil, false
}

func refuse(w http.ResponseWriter, status int, message, hint string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Error{Message: message, Hint: hint})
}
