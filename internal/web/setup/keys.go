package setup

import (
	"io"
	"mime"
	"net/http"

	"gatehouse/internal/control"
	"gatehouse/internal/web/oldcards"
	"gatehouse/internal/web/page"
)

// mostKeyFile is the most bytes of a key file.
const mostKeyFile = 16 << 10

// keys is the screen for a standalone house without keys: they are made and downloaded, and then
// uploaded, which shows that they were stored; only then the gateway installs them.
func (s setup) keys(v *page.Visit) error {
	if st, err := s.Watch.Now(v.Context()); err == nil && (st.Uplink != nil || st.Initialised) {
		v.Redirect(s.next(v))
		return nil
	}
	return v.Show("setup_keys", registryView{})
}

func (s setup) wrongKeys(v *page.Visit, err error) error {
	return v.ShowStatus(page.StatusOf(err), "setup_keys", registryView{v.Advice(err, 0)})
}

// keyFile makes and sends a key file, which neither the page nor the daemon stores.
func (s setup) keyFile(v *page.Visit) error {
	if err := oldcards.Private(v.Request); err != nil {
		return s.wrongKeys(v, err)
	}
	made, err := s.daemon().MakeKeyFile(v.Context())
	if err != nil {
		return s.wrongKeys(v, err)
	}
	defer clear(made.Text)
	v.W.Header().Set("Content-Type", "application/octet-stream")
	v.W.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": made.Name}))
	_, _ = v.W.Write(made.Text) // the client may be gone
	return nil
}

// install installs the uploaded key file.
func (s setup) install(v *page.Visit) error {
	text, err := chosen(v.Request)
	if err == nil {
		defer clear(text)
		_, err = s.daemon().InstallKeys(v.Context(), control.KeyFile{Text: text})
	}
	if err != nil {
		return s.wrongKeys(v, err)
	}
	v.Redirect("/setup/wait?for=registry")
	return nil
}

// chosen returns the key file in a form.
func chosen(r *http.Request) ([]byte, error) {
	if err := oldcards.Private(r); err != nil {
		return nil, err
	}
	file, _, err := r.FormFile("key")
	if err != nil {
		return nil, oldcards.ErrKey
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, mostKeyFile))
}
