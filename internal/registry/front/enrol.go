package front

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// maxEnrolBody is the most that an enrolment may send, in bytes.
const maxEnrolBody = wire.MaxMessage

// enrolListener is TLS 1.3 without client certificates: a gateway that enrols
// has none, and one that renews may have an expired one. Its signature counts.
func (f *Front) enrolListener() net.Listener {
	return tls.NewListener(newFewConns(f.enrol), &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: f.keys.server.get,
		NextProtos: []string{"http/1.1"}})
}

// serveEnrolment answers gateways until ctx ends.
func (f *Front) serveEnrolment(ctx context.Context) error {
	return socket.ServeHTTP(ctx, f.enrolListener(), f.enrolServer(), socketGrace)
}

// enrolHandler hands requests of gateways to the issuer, which alone judges
// them. What is sure to be refused does not reach it.
func (f *Front) enrolHandler() http.Handler {
	limit := newRateLimit(f.o.Config.EnrolPerMinute)
	mux := http.NewServeMux()
	handle := func(path string, read func(body []byte) (api.Enrolment, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			if !limit.allow(r.RemoteAddr, time.Now()) {
				w.Header().Set("Retry-After", "60")
				refuse(w, http.StatusTooManyRequests, "too many requests from this address", "wait a minute and try again")
				return
			}
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEnrolBody))
			if err != nil {
				refuse(w, http.StatusRequestEntityTooLarge, "the request can't be read, or is too large", "")
				return
			}
			e, err := read(body)
			if err != nil {
				f.refused.Add(1)
				refuse(w, http.StatusForbidden, err.Error(), "ask the registry's operator whether this gateway is enrolled")
				return
			}
			f.passOn(r.Context(), w, e)
		})
	}
	handle("/v1/introduce", readIntroduce)
	handle("/v1/enrol", readEnrol)
	handle("/v1/renew", f.readRenew)
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

// addressed reads whom an envelope says it is of; nothing is proved by that.
func addressed(envelope []byte, kind string) (api.Place, error) {
	_, p, _ := wire.Open(envelope, wire.Expect{}, nil)
	building, gateway, ok := cut(p.Address)
	if p.Type != kind || !ok {
		return api.Place{}, errors.New("the request is no signed " + kind + " request of a gateway")
	}
	return api.Place{Building: building, Gateway: gateway}, nil
}

func readEnrol(body []byte) (api.Enrolment, error) {
	p, err := addressed(body, wire.TypeEnrol)
	return api.Enrolment{Kind: api.KindEnrol, Place: p, Envelope: body}, err
}

// readRenew takes only requests that a member has signed.
func (f *Front) readRenew(body []byte) (api.Enrolment, error) {
	p, err := addressed(body, wire.TypeRenew)
	if err != nil {
		return api.Enrolment{}, err
	}
	f.mu.RLock()
	g := f.gateways[p.Address()]
	var key wire.Key
	if g != nil && g.member {
		key, p = g.key, api.Place(g.place)
	}
	f.mu.RUnlock()
	if key.Public == nil {
		return api.Enrolment{}, errors.New("this gateway is not one of its building")
	}
	_, _, err = wire.Open(body, wire.Expect{Type: wire.TypeRenew, Role: wire.RoleGateway, Address: p.Address()}, []wire.Key{key})
	return api.Enrolment{Kind: api.KindRenew, Place: p, Envelope: body}, err
}

// passOn waits for the issuer's answer.
func (f *Front) passOn(ctx context.Context, w http.ResponseWriter, e api.Enrolment) {
	a, err := f.inbox.ask(ctx, e)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		w.Header().Set("Retry-After", "30")
		refuse(w, http.StatusServiceUnavailable, err.Error(), "the registry's operator has to start registryd issue; try again later, the token stays good")
	case a.Error != "":
		f.o.Log.Warn().Str("gateway", e.Place.Address()).Str("kind", e.Kind).Str("why", a.Error).Msg("the issuer refuses an enrolment")
		refuse(w, http.StatusForbidden, a.Error, a.Hint)
	default:
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
		_, _ = w.Write(a.Body)
		f.o.Log.Info().Str("gateway", e.Place.Address()).Str("kind", e.Kind).Msg("the issuer answered an enrolment")
	}
}

func refuse(w http.ResponseWriter, status int, message, hint string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Error{Message: message, Hint: hint})
}
