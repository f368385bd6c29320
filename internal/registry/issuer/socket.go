package issuer

import (
	"context"
	"io"
	"net/http"
	"time"

	"gatehouse/internal/registry/issuer/act"
	"gatehouse/internal/registry/issuer/adopt"
	"gatehouse/internal/registry/issuer/enrol"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/officers"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/internal/socket"
)

const (
	maxRequest  = 1 << 20         // bytes
	socketGrace = 5 * time.Second // for requests at work at the end
)

// Serve answers the operator on a unix socket, which only this process's user
// may use, until ctx ends. It returns when no request is at work any more.
func (i *Issuer) Serve(ctx context.Context, path string) error { return i.server(path).Run(ctx) }

func (i *Issuer) server(path string) *socket.Server {
	s := socket.NewServer(socket.Options{Path: path, Name: "issuer", Network: i.opts.Network, Mode: 0o600, Grace: socketGrace, MostBody: maxRequest, Log: i.opts.Log})
	l := i.ledger
	building := func(r *http.Request) string { return r.URL.Query().Get("building") }
	get(s, "GET /v1/status", func(*http.Request) (any, error) { return i.status() })
	get(s, "GET /v1/gateways", func(r *http.Request) (any, error) { return report.Gateways(l, building(r)) })
	get(s, "GET /v1/tenancies", func(r *http.Request) (any, error) { return report.Tenancies(l, building(r)) })
	get(s, "GET /v1/problems", func(r *http.Request) (any, error) { return report.Problems(l, building(r)) })
	get(s, "GET /v1/grants", func(r *http.Request) (any, error) {
		return report.Grants(l, building(r), r.URL.Query().Get("tenancy"))
	})
	get(s, "GET /v1/lists", func(r *http.Request) (any, error) { return report.Lists(l, building(r)) })
	get(s, "GET /v1/escrow", i.getEscrow)
	get(s, "GET /v1/clock", func(*http.Request) (any, error) { return l.Clock.Report(), nil })
	get(s, "POST /v1/clock", i.postClock)
	socket.Handle(s, "POST /v1/undos", i.postUndo)
	get(s, "GET /v1/audit", func(*http.Request) (any, error) { return report.Audits(l) })
	get(s, "GET /v1/offers", func(*http.Request) (any, error) { return i.offers() })
	socket.Handle(s, "POST /v1/offers", i.postDecision)
	socket.Handle(s, "POST /v1/houses", i.postHouse)
	socket.Stream(s, "GET /v1/backup", i.getBackup)
	get(s, "POST /v1/remarks/done", i.postDone)
	socket.Handle(s, "POST /v1/gateways", i.postGateway)
	get(s, "DELETE /v1/gateways/{building}/{gateway}", i.deleteGateway)
	socket.Handle(s, "POST /v1/acts", func(r *http.Request, a operator.Act) (any, error) { return i.act(r.Context(), who(r), a) })
	socket.Handle(s, "POST /v1/passes", func(r *http.Request, n operator.NewPass) (any, error) {
		return answer(i, func(c *ledger.Change) (operator.Pass, error) { return i.passes.Issue(c, who(r), n) })
	})
	get(s, "GET /v1/officers", func(*http.Request) (any, error) {
		return ledger.Read(l, func(v ledger.View) ([]operator.Officer, error) { return store.Officers(v) })
	})
	socket.Handle(s, "POST /v1/officers", func(r *http.Request, n operator.NewOfficer) (any, error) {
		return answer(i, func(c *ledger.Change) (operator.Officer, error) { return officers.Add(c, who(r), n) })
	})
	socket.Handle(s, "POST /v1/officers/revoke", func(r *http.Request, e operator.EndedOfficer) (any, error) {
		return answer(i, func(c *ledger.Change) (socket.None, error) {
			return socket.None{}, officers.Revoke(c, who(r), e.ID, e.Reason)
		})
	})
	socket.Handle(s, "POST /v1/countersign", i.postCountersign)
	socket.Handle(s, "POST /v1/person", func(r *http.Request, p operator.Look) (any, error) {
		return answer(i, func(c *ledger.Change) (operator.Person, error) { return act.Look(c, who(r), p) })
	})
	socket.Handle(s, "POST /v1/forget", func(r *http.Request, f operator.Forget) (any, error) {
		return answer(i, func(c *ledger.Change) (operator.Home, error) { return act.Forget(c, who(r), f) })
	})
	handleRequests(i, s)
	socket.Handle(s, "POST /v1/brief", func(r *http.Request, run operator.Brief) (any, error) {
		return answer(i, func(c *ledger.Change) (operator.Brief, error) { return act.Brief(c, who(r), run) })
	})
	get(s, "GET /v1/erasures", func(*http.Request) (any, error) {
		return ledger.Read(l, func(v ledger.View) ([]operator.Erasure, error) { return store.Erasures(v) })
	})
	get(s, "POST /v1/publish", i.postPublish)
	return s
}

// handleRequests serves what becomes of residents' requests.
func handleRequests(i *Issuer, s *socket.Server) {
	socket.Handle(s, "POST /v1/requests/read", func(r *http.Request, in operator.ReadRequests) (any, error) {
		return answer(i, func(c *ledger.Change) (socket.None, error) { return act.ReadRequests(c, who(r), in) })
	})
	socket.Handle(s, "POST /v1/requests/found", func(_ *http.Request, in operator.FoundRequests) (any, error) {
		return answer(i, func(c *ledger.Change) ([]operator.Request, error) { return act.FoundRequests(c, in) })
	})
	socket.Handle(s, "POST /v1/requests/done", func(r *http.Request, in operator.DoneRequest) (any, error) {
		return answer(i, func(c *ledger.Change) (socket.None, error) { return act.RequestDone(c, who(r), in) })
	})
}

// get answers a request that sends nothing.
func get(s *socket.Server, pattern string, do func(*http.Request) (any, error)) {
	socket.Handle(s, pattern, func(r *http.Request, _ socket.None) (any, error) { return do(r) })
}

func (i *Issuer) status() (operator.Status, error) {
	s, err := report.Status(i.ledger, i.linked.Load())
	if why := i.trouble.Load(); why != nil {
		s.Trouble = *why
	}
	return s, err
}

func (i *Issuer) offers() ([]operator.Offer, error) {
	return ledger.Read(i.ledger, func(v ledger.View) ([]operator.Offer, error) { return adopt.Offers(v, &i.ledger.Keys) })
}

// getBackup answers with a whole copy of the database. It has tenancies, tokens
// that were not used, and cards' ids: it is for the issuer's user.
func (i *Issuer) getBackup(w http.ResponseWriter, r *http.Request, _ socket.None) error {
	if err := i.audit(r, "backup", "", ""); err != nil {
		return err
	}
	file, err := i.ledger.Copy(r.Context())
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.Copy(w, file) // whoever asked checks what came
	return nil
}

// postClock takes the operator's word that the machine's clock is right.
func (i *Issuer) postClock(r *http.Request) (any, error) {
	clock, err := i.ledger.Clock.Confirm()
	if err != nil {
		return nil, err
	}
	return clock, i.audit(r, "clock confirm", "", clock.Agreed.UTC().Format(time.RFC3339))
}

// getEscrow hands out a sealed building key. That is written down as well.
func (i *Issuer) getEscrow(r *http.Request) (any, error) {
	b := r.URL.Query().Get("building")
	e, err := report.Escrow(i.ledger, b)
	if err != nil {
		return nil, err
	}
	return e, i.audit(r, "escrow", b, "")
}

// postDone puts all remarks away.
func (i *Issuer) postDone(r *http.Request) (any, error) {
	return struct{}{}, i.ledger.Update(func(c *ledger.Change) {
		store.PutAway(c.Tx)
		c.Audit(who(r), "restored --done", "", "", "")
	})
}

func (i *Issuer) postGateway(r *http.Request, n operator.NewGateway) (any, error) {
	t, err := answer(i, func(c *ledger.Change) (operator.Token, error) {
		t, err := enrol.Add(c, n)
		c.Audit(who(r), "gateway add", n.Building, n.Gateway, "")
		return t, err
	})
	if err == nil {
		_ = i.sender.send(r.Context(), n.Building) // its flats may be new; tried again by Run
	}
	return t, err
}

func (i *Issuer) postPublish(r *http.Request) (any, error) {
	err := i.ledger.SignAgain()
	if err == nil {
		err = i.ledger.SendAgain()
	}
	if err == nil {
		err = i.sender.sendAll(r.Context())
	}
	if err != nil {
		return nil, err
	}
	return i.status()
}

// who returns the name of the user who made a request, or the id.
func who(r *http.Request) string { return socket.UserName(r.Context()) }
