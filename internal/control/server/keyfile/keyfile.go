// Package keyfile answers on the daemon's socket whoever gives a house without a registry its keys.
//
// It refuses to keep a private part of the landlord's key: that goes out with the answer.
package keyfile

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/firstkeys"
	"gatehouse/internal/gateway"
	"gatehouse/internal/keys"
	"gatehouse/internal/socket"
)

// mostMade bounds the key files of which the daemon knows that it made them.
const mostMade = 8

// firstKeys gives a gateway without a registry its keys, for whoever is at the page, as gatehouse init
// does. Of a key file that it makes it remembers the public half alone, and in memory alone.
type firstKeys struct {
	*gateway.Gateway
	log   zerolog.Logger
	again func()
	turn  *Turn

	mu   sync.Mutex // guards made
	made []ed25519.PublicKey
}

// Handle registers the routes. again restarts the daemon; nil: not possible. turn is that of the
// enrolment, too.
func Handle(s *socket.Server, g *gateway.Gateway, log zerolog.Logger, again func(), turn *Turn) {
	f := &firstKeys{Gateway: g, log: log, again: again, turn: turn}
	socket.Handle(s, "POST /v1/keyfile", f.postKeyFile)
	socket.Stream(s, "PUT /v1/keyfile", f.putKeyFile)
}

// missing returns a refusal where the gateway is not to be given keys.
func (f *firstKeys) missing() error {
	if f.again == nil {
		return socket.Refused(http.StatusConflict, "call gatehouse init, and start it again", "this daemon can't begin anew by itself")
	}
	return conflict(firstkeys.Missing(f.Site.Path("keys")))
}

// conflict is an error of the package firstkeys with its status.
func conflict(err error) error {
	if known, ok := err.(*socket.Error); ok {
		return socket.Refused(http.StatusConflict, known.Hint, "%s", known.Message)
	}
	return err
}

func (f *firstKeys) postKeyFile(*http.Request, socket.None) (out control.KeyFile, err error) {
	if err := f.turn.Free(); err != nil { // whoever makes a file now could not give it to the gateway
		return out, err
	}
	dir := f.Site.Path("keys")
	if err := f.missing(); err != nil {
		return out, err
	}
	if err := firstkeys.Fits(dir, nil); err != nil { // an interrupted install goes on with its own file
		return out, conflict(err)
	}
	stick, err := keys.NewStick(f.Site.Building)
	if err != nil {
		return out, err
	}
	if out.Text, err = stick.Text(); err != nil {
		return out, err
	}
	out.Name = "issuer-" + f.Site.Building + ".key"
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made = append(f.made, stick.Public())
	f.made = f.made[max(0, len(f.made)-mostMade):]
	return out, nil
}

// known reports whether a key was made here, or none was since the daemon began.
func (f *firstKeys) known(key ed25519.PublicKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.made) == 0 || slices.ContainsFunc(f.made, func(k ed25519.PublicKey) bool { return k.Equal(key) })
}

func (f *firstKeys) putKeyFile(w http.ResponseWriter, _ *http.Request, in control.KeyFile) error {
	defer clear(in.Text)
	return f.turn.Take(func() error { return f.install(w, in) })
}

// install answers before the daemon restarts, as it must with other keys.
func (f *firstKeys) install(w http.ResponseWriter, in control.KeyFile) error {
	if err := f.missing(); err != nil {
		return err
	}
	stick, err := keys.ParseStick(in.Text)
	switch {
	case err != nil:
		return socket.Refused(http.StatusUnprocessableEntity, "choose the file that was downloaded here, as it is", "this is no whole key file: %v", err)
	case stick.House != f.Site.Building:
		return socket.Refused(http.StatusUnprocessableEntity, "choose the file of "+f.Site.Building, "this key file is of another house, %q", stick.House)
	case !f.known(stick.Public()):
		return socket.Refused(http.StatusUnprocessableEntity, "choose the file that was downloaded last", "this key file is not one that was made here just now")
	}
	files, err := firstkeys.Install(f.Site.State, f.Site.Path("keys"), stick.Public(), stick.Building)
	if err != nil {
		return conflict(err)
	}
	f.log.Info().Msg("the building has keys; the daemon begins anew with them")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(control.KeysInstalled{Building: f.Site.Building, Files: files}) // the caller may be gone
	f.again()
	return nil
}
