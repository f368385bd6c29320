package enrolment

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/shelf"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

// snapshotHeader has the gateway's signed description of the backup in the body.
const snapshotHeader = "Gatehouse-Snapshot"

const (
	uploadTime = 10 * time.Minute // for the transfer of a backup, either way
	uploads    = 4                // transfers at a time
)

// snapshots receives backups of members and delivers them to the machines that replace them.
type snapshots struct {
	*Server
	busy chan struct{} // has one element for each transfer
}

// keep receives a backup. Without a body it only answers whether the named one is stored. Nothing
// of a body is read before its gateway's signature was verified.
func (s snapshots) keep(w http.ResponseWriter, r *http.Request) {
	envelope, err := base64.RawURLEncoding.DecodeString(r.Header.Get(snapshotHeader))
	if err != nil {
		s.forbid(w, errors.New("the request has no signed word on a snapshot"))
		return
	}
	p, key, err := s.member(envelope, wire.TypeSnapshot)
	var named snapshot.Snapshot
	if err == nil {
		named, err = snapshot.Open(envelope, p.Address(), key)
	}
	if err != nil {
		s.forbid(w, err)
		return
	}
	kept := true
	if r.ContentLength == 0 {
		kept, err = s.o.Shelf.Heard(r.Context(), p, named)
	} else if !s.pass(w) {
		return
	} else {
		defer s.passed()
		var data []byte
		if data, err = io.ReadAll(io.LimitReader(r.Body, int64(named.Size)+1)); err == nil {
			err = s.o.Shelf.Keep(r.Context(), p, named, data)
		} else {
			err = shelf.ErrOther
		}
	}
	switch {
	case errors.Is(err, shelf.ErrOther):
		s.refused.Add(1)
		refuse(w, http.StatusBadRequest, err.Error(), "send it again")
	case errors.Is(err, shelf.ErrTooMany):
		w.Header().Set("Retry-After", "86400")
		refuse(w, http.StatusTooManyRequests, err.Error(), "the next one tomorrow")
	case err != nil:
		s.o.Log.Error().Err(err).Str("gateway", p.Address()).Msg("a snapshot could not be stored")
		refuse(w, http.StatusServiceUnavailable, "the snapshot could not be stored", "the registry's operator looks after its disk; it is sent again later")
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]bool{"kept": kept})
	}
}

// pass begins the transfer of a backup, which gets more time than other requests. If too many are
// in progress it refuses the request and returns false.
func (s snapshots) pass(w http.ResponseWriter) bool {
	select {
	case s.busy <- struct{}{}:
	default:
		w.Header().Set("Retry-After", "600")
		refuse(w, http.StatusServiceUnavailable, "other snapshots are on their way", "try again in some minutes")
		return false
	}
	until := time.Now().Add(uploadTime)
	c := http.NewResponseController(w)
	if err := errors.Join(c.SetReadDeadline(until), c.SetWriteDeadline(until)); err != nil {
		s.o.Log.Warn().Err(err).Msg("a snapshot has no more time than other requests")
	}
	return true
}

func (s snapshots) passed() { <-s.busy }

// fetch delivers a backup to a machine that has the unused token of its gateway's replacement. The
// issuer judges it.
func (s snapshots) fetch(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "the request can't be read, or is too large", "")
		return
	}
	e, err := readIntroduce(body)
	if err != nil {
		s.forbid(w, err)
		return
	}
	var which struct {
		Turn int `json:"turn"`
	}
	_ = json.Unmarshal(body, &which) // it is JSON, and 0 is the newest
	e.Kind = api.KindSnapshot
	if _, ok := s.ask(r.Context(), w, e); !ok || !s.pass(w) {
		return
	}
	defer s.passed()
	data, err := s.o.Shelf.Fetch(r.Context(), e.Place, which.Turn)
	switch {
	case errors.Is(err, shelf.ErrNone):
		refuse(w, http.StatusNotFound, err.Error(), "restore it from the stick; where there is none: docs/restore.md, a gateway's card")
	case err != nil:
		s.o.Log.Error().Err(err).Str("gateway", e.Place.Address()).Msg("a snapshot could not be read")
		refuse(w, http.StatusServiceUnavailable, "the snapshot could not be read", "the registry's operator looks after its disk")
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data) // the client may be gone
		s.o.Log.Info().Str("gateway", e.Place.Address()).Msg("a machine with a token was given the gateway's snapshot")
	}
}

// limited limits the rate of requests from an address.
func limited(limit *rateLimit, do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !limit.allow(r.RemoteAddr, time.Now()) {
			w.Header().Set("Retry-After", "60")
			refuse(w, http.StatusTooManyRequests, "too many requests from this address", "wait a minute and try again")
			return
		}
		do(w, r)
	}
}

// member returns the sender of an envelope, if a house document names it, with the key that must
// have signed it.
func (s *Server) member(envelope []byte, kind string) (api.Place, wire.Key, error) {
	p, err := addressed(envelope, kind)
	if err != nil {
		return p, wire.Key{}, err
	}
	if g := s.o.Roster.Find(p.Address()); g != nil {
		if of := s.o.Roster.Look(g); of.Member && of.Key.Public != nil {
			return api.Place(of.Place), of.Key, nil
		}
	}
	return p, wire.Key{}, errors.New("this gateway is not one of its building")
}

// forbid refuses a request that is not from a member of a house.
func (s *Server) forbid(w http.ResponseWriter, err error) {
	s.refused.Add(1)
	refuse(w, http.StatusForbidden, strings.TrimSpace(err.Error()), "ask the registry's operator whether this gateway is enrolled")
}
