package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// Serve answers the operator on a unix socket, which only this process's user
// may use, until ctx ends. It returns when no request is at work any more.
func (i *Issuer) Serve(ctx context.Context, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of a dead issuer: this one has the lock
		return fmt.Errorf("serve %s: %w", path, err)
	}
	l, err := i.opts.Network.Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("serve %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return fmt.Errorf("serve %s: %w", path, err)
	}
	server := &http.Server{Handler: i.handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, whoKey{}, peer(c))
		}}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})
	err = server.Serve(l)
	if !stop() {
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", path, err)
	}
	return nil
}

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

func (i *Issuer) handler() http.Handler {
	m := http.NewServeMux()
	get := func(path string, f func(r *http.Request) (any, error)) { m.HandleFunc("GET "+path, answer(f)) }
	building := func(r *http.Request) string { return r.URL.Query().Get("building") }
	get("/v1/status", func(*http.Request) (any, error) { return i.status() })
	get("/v1/gateways", func(r *http.Request) (any, error) { return i.gateways(building(r)) })
	get("/v1/tenancies", func(r *http.Request) (any, error) { return i.tenancies(building(r)) })
	get("/v1/problems", func(r *http.Request) (any, error) { return i.problems(building(r)) })
	get("/v1/grants", func(r *http.Request) (any, error) { return i.grants(building(r), r.URL.Query().Get("tenancy")) })
	get("/v1/lists", func(r *http.Request) (any, error) { return i.lists(building(r)) })
	get("/v1/escrow", i.escrowFor)
	get("/v1/clock", func(*http.Request) (any, error) { return i.clock.Report(), nil })
	m.HandleFunc("POST /v1/clock", answer(i.postClock))
	m.HandleFunc("POST /v1/undos", answer(i.postUndo))
	get("/v1/audit", func(*http.Request) (any, error) { return i.audits() })
	get("/v1/offers", func(*http.Request) (any, error) { return i.listOffers() })
	m.HandleFunc("POST /v1/offers", answer(i.postDecision))
	m.HandleFunc("POST /v1/houses", answer(i.postHouse))
	m.HandleFunc("GET /v1/backup", i.getBackup)
	m.HandleFunc("POST /v1/remarks/done", answer(func(r *http.Request) (any, error) { return struct{}{}, i.putAway(who(r)) }))
	m.HandleFunc("POST /v1/gateways", answer(i.postGateway))
	m.HandleFunc("DELETE /v1/gateways/{building}/{gateway}", answer(i.deleteGateway))
	m.HandleFunc("POST /v1/acts", answer(i.postAct))
	m.HandleFunc("POST /v1/passes", answer(i.postPass))
	m.HandleFunc("POST /v1/countersign", answer(i.postCountersign))
	m.HandleFunc("POST /v1/person", answer(i.postPerson))
	m.HandleFunc("POST /v1/publish", answer(i.postPublish))
	return m
}

// answer writes what f returns, as JSON.
func answer(f func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		v, err := f(r)
		w.Header().Set("Content-Type", "application/json")
		var refused *api.Error
		switch {
		case errors.As(err, &refused):
			w.WriteHeader(http.StatusUnprocessableEntity)
			v = refused
		case err != nil:
			w.WriteHeader(http.StatusInternalServerError)
			v = &api.Error{Message: err.Error()}
		}
		_ = json.NewEncoder(w).Encode(v) // whoever asked may be gone
	}
}

// getBackup answers with a whole copy of the database. It has tenancies, tokens
// that were not used, and cards' ids: it is for the issuer's user.
func (i *Issuer) getBackup(w http.ResponseWriter, r *http.Request) {
	err := i.locked(func(c *change) error { return c.audit(who(r), "backup", "", "", "") })
	var file *os.File
	if err == nil {
		file, err = i.copied(r.Context())
	}
	if err != nil {
		answer(func(*http.Request) (any, error) { return nil, err })(w, r)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.Copy(w, file) // whoever asked checks what came
}

func read[T any](r *http.Request) (v T, err error) {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, api.Hinted("tool and issuer are of different versions", "request: %v", err)
	}
	return v, nil
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

func (i *Issuer) postGateway(r *http.Request) (any, error) {
	n, err := read[operator.NewGateway](r)
	if err != nil {
		return nil, err
	}
	var t operator.Token
	err = i.locked(func(c *change) error {
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

func (i *Issuer) postAct(r *http.Request) (any, error) {
	a, err := read[operator.Act](r)
	if err != nil {
		return nil, err
	}
	return i.act(r.Context(), who(r), a)
}

func (i *Issuer) postPass(r *http.Request) (any, error) {
	n, err := read[operator.NewPass](r)
	if err != nil {
		return nil, err
	}
	return i.pass(who(r), n)
}

func (i *Issuer) postCountersign(r *http.Request) (any, error) {
	s, err := read[operator.Countersign](r)
	if err != nil {
		return nil, err
	}
	err = i.locked(func(c *change) error {
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

func (i *Issuer) postDecision(r *http.Request) (any, error) {
	d, err := read[operator.Decision](r)
	if err != nil {
		return nil, err
	}
	err = i.locked(func(c *change) error {
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
func (i *Issuer) postHouse(r *http.Request) (any, error) {
	h, err := read[operator.House](r)
	if err != nil {
		return nil, err
	}
	var id string
	err = i.locked(func(c *change) error {
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

func (i *Issuer) postPerson(r *http.Request) (any, error) {
	l, err := read[operator.Look](r)
	if err != nil {
		return nil, err
	}
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
