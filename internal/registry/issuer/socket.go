package issuer

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"time"

	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

const (
	maxRequest  = 1 << 20         // bytes
	socketGrace = 5 * time.Second // for requests at work at the end
)

// Serve answers the operator on a unix socket, which only this process's user
// may use, until ctx ends. It returns when no request is at work any more.
func (i *Issuer) Serve(ctx context.Context, path string) error { return i.server(path).Run(ctx) }

// whoKey is where a request's context has the user behind it.
type whoKey struct{}

func who(r *http.Request) string {
	name, _ := r.Context().Value(whoKey{}).(string)
	if name == "" {
		return "unknown"
	}
	return name
}

// userName is the name of a user id, or the number.
func userName(id int) string {
	if u, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return u.Username
	}
	return strconv.Itoa(id)
}

func (i *Issuer) server(path string) *socket.Server {
	s := socket.NewServer(socket.Options{Path: path, Name: "issuer", Network: i.opts.Network, Mode: 0o600, Grace: socketGrace, MostBody: maxRequest, Log: i.opts.Log,
		Caller: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, whoKey{}, peer(c))
		}})
	building := func(r *http.Request) string { return r.URL.Query().Get("building") }
	get(s, "GET /v1/status", func(*http.Request) (any, error) { return i.status() })
	get(s, "GET /v1/gateways", func(r *http.Request) (any, error) { return i.gateways(building(r)) })
	get(s, "GET /v1/tenancies", func(r *http.Request) (any, error) { return i.tenancies(building(r)) })
	get(s, "GET /v1/problems", func(r *http.Request) (any, error) { return i.problems(building(r)) })
	get(s, "GET /v1/grants", func(r *http.Request) (any, error) { return i.grants(building(r), r.URL.Query().Get("tenancy")) })
	get(s, "GET /v1/lists", func(r *http.Request) (any, error) { return i.lists(building(r)) })
	get(s, "GET /v1/escrow", i.escrowFor)
	get(s, "GET /v1/clock", func(*http.Request) (any, error) { return i.clock.Report(), nil })
	get(s, "POST /v1/clock", i.postClock)
	socket.Handle(s, "POST /v1/undos", i.postUndo)
	get(s, "GET /v1/audit", func(*http.Request) (any, error) { return i.audits() })
	get(s, "GET /v1/offers", func(*http.Request) (any, error) { return i.listOffers() })
	socket.Handle(s, "POST /v1/offers", i.postDecision)
	socket.Handle(s, "POST /v1/houses", i.postHouse)
	socket.Stream(s, "GET /v1/backup", i.getBackup)
	get(s, "POST /v1/remarks/done", func(r *http.Request) (any, error) { return struct{}{}, i.putAway(who(r)) })
	socket.Handle(s, "POST /v1/gateways", i.postGateway)
	get(s, "DELETE /v1/gateways/{building}/{gateway}", i.deleteGateway)
	socket.Handle(s, "POST /v1/acts", i.postAct)
	socket.Handle(s, "POST /v1/passes", i.postPass)
	socket.Handle(s, "POST /v1/countersign", i.postCountersign)
	socket.Handle(s, "POST /v1/person", i.postPerson)
	get(s, "POST /v1/publish", i.postPublish)
	return s
}

// get answers a request that sends nothing.
func get(s *socket.Server, pattern string, do func(*http.Request) (any, error)) {
	socket.Handle(s, pattern, func(r *http.Request, _ socket.None) (any, error) { return do(r) })
}

// getBackup answers with a whole copy of the database. It has tenancies, tokens
// that were not used, and cards' ids: it is for the issuer's user.
func (i *Issuer) getBackup(w http.ResponseWriter, r *http.Request, _ socket.None) error {
	err := i.locked(func(c *change) error { return c.audit(who(r), "backup", "", "", "") })
	var file *os.File
	if err == nil {
		file, err = i.copied(r.Context())
	}
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
	report, err := i.clock.Confirm()
	if err != nil {
		return nil, err
	}
	return report, i.locked(func(c *change) error {
		return c.audit(who(r), "clock confirm", "", report.Agreed.UTC().Format(time.RFC3339), "")
	})
}

func (i *Issuer) postGateway(r *http.Request, n operator.NewGateway) (any, error) {
	var t operator.Token
	err := i.locked(func(c *change) (err error) {
		if t, err = c.addGateway(n); err != nil {
			return err
		}
		return c.audit(who(r), "gateway add", n.Building, n.Gateway, "")
	})
	if err == nil {
		_ = i.publish(r.Context(), n.Building) // its flats may be new; tried again by Run
	}
	return t, err
}

func (i *Issuer) deleteGateway(r *http.Request) (any, error) {
	b, g := r.PathValue("building"), r.PathValue("gateway")
	err := i.locked(func(c *change) error {
		if err := c.removeGateway(b, g); err != nil {
			return err
		}
		return c.audit(who(r), "gateway remove", b, g, "")
	})
	if err != nil {
		return nil, err
	}
	return i.finish(r.Context(), operator.Done{Building: b})
}

func (i *Issuer) postAct(r *http.Request, a operator.Act) (any, error) {
	return i.act(r.Context(), who(r), a)
}

func (i *Issuer) postPass(r *http.Request, n operator.NewPass) (any, error) {
	return i.pass(who(r), n)
}

func (i *Issuer) postCountersign(r *http.Request, s operator.Countersign) (any, error) {
	err := i.locked(func(c *change) error {
		b, err := c.open(s.Building)
		if err != nil {
			return err
		}
		if err := c.countersign(b, s); err != nil {
			return err
		}
		return c.audit(who(r), "countersign", s.Building, "list "+strconv.FormatUint(b.list.manifest.Version, 10), "")
	})
	if err != nil {
		return nil, err
	}
	return i.finish(r.Context(), operator.Done{Building: s.Building})
}

func (i *Issuer) listOffers() ([]operator.Offer, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.offers()
}

func (i *Issuer) postDecision(r *http.Request, d operator.Decision) (any, error) {
	err := i.locked(func(c *change) error {
		if _, err := c.decide(d); err != nil {
			return err
		}
		what := "offer drop"
		if d.Take {
			what = "offer take"
		}
		return c.audit(who(r), what, d.Building, d.ID, "")
	})
	if err != nil {
		return nil, err
	}
	return i.finish(r.Context(), operator.Done{Building: d.Building})
}

// postHouse takes the House document of a building that this database does not know,
// as one of its gateways has it.
func (i *Issuer) postHouse(r *http.Request, h operator.House) (any, error) {
	var id string
	err := i.locked(func(c *change) (err error) {
		if id, err = c.importHouse(h.Envelope); err != nil {
			return err
		}
		return c.audit(who(r), "house import", id, "", "")
	})
	if err != nil {
		return nil, err
	}
	return i.finish(r.Context(), operator.Done{Building: id})
}

func (i *Issuer) postPerson(r *http.Request, l operator.Look) (any, error) {
	return i.look(who(r), l)
}

// escrowFor hands out a sealed building key. That is written down as well.
func (i *Issuer) escrowFor(r *http.Request) (any, error) {
	b := r.URL.Query().Get("building")
	e, err := i.escrow(b)
	if err != nil {
		return nil, err
	}
	return e, i.locked(func(c *change) error { return c.audit(who(r), "escrow", b, "", "") })
}

func (i *Issuer) postPublish(r *http.Request) (any, error) {
	err := i.signAgain()
	if err == nil {
		i.mu.Lock()
		err = i.markUnsent()
		i.mu.Unlock()
	}
	if err == nil {
		err = i.publishAll(r.Context())
	}
	if err != nil {
		return nil, err
	}
	return i.status()
}
