// Package rescue has the page's forms and views for the recovery code and the backup (S8), and for
// the machine that replaces a burned one.
package rescue

import (
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/control"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/typed"
)

// View is the screen of the recovery code.
type View struct {
	control.Recovery
	Fresh     string             // the new code, shown only once and never stored
	Rehearsed *control.Rehearsed // nil: no rehearsal in this request
	Wrong     string             // key of the words; empty: nothing is wrong
}

// Status returns the HTTP status of the screen.
func (v View) Status() int { return status(v.Wrong) }

// tooFast is the key of the words for too many tries.
const tooFast = "page.too_fast"

func status(wrong string) int {
	switch wrong {
	case "":
		return http.StatusOK
	case tooFast:
		return http.StatusTooManyRequests
	}
	return http.StatusUnprocessableEntity
}

// Backups are the backups of a daemon.
type Backups struct{ Daemon *control.Client }

// Screen is a view with its HTTP status.
type Screen interface{ Status() int }

// Show returns the screen of the recovery code.
func (b Backups) Show(r *http.Request) (Screen, error) { return b.show(r.Context(), View{}) }

// show adds the state of the backups to a view.
func (b Backups) show(ctx context.Context, v View) (Screen, error) {
	var err error
	v.Recovery, err = control.BackupsOf(b.Daemon).Status(ctx)
	return v, err
}

// NewCode makes a code. To replace one the form must confirm it: its backups are useless without
// it.
func (b Backups) NewCode(r *http.Request) (Screen, error) {
	ctx := r.Context()
	made, err := control.BackupsOf(b.Daemon).NewCode(ctx, control.NewRecovery{Replace: r.FormValue("sure") == "yes"})
	var known *control.Error
	if errors.As(err, &known) && known.Status == http.StatusConflict {
		return b.show(ctx, View{Wrong: "recovery.not_sure"})
	}
	if err != nil {
		return nil, err
	}
	return b.show(ctx, View{Fresh: made.Code})
}

// Rehearse restores the backup with a code: one typed in full, or the one on the screen, of which
// the end was typed from the paper. allow reports whether another try is allowed.
func (b Backups) Rehearse(r *http.Request, allow func() bool) (Screen, error) {
	ctx, again := r.Context(), View{Fresh: r.FormValue("fresh")}
	code := cmp.Or(again.Fresh, r.FormValue("code"))
	read, err := recovery.Parse(code)
	switch {
	case err != nil:
		again.Fresh, again.Wrong = "", "recovery.mistyped"
	case again.Fresh != "" && !read.Ends(r.FormValue("end")):
		again.Wrong = "recovery.wrong_end"
	case !allow():
		again.Wrong = tooFast
	}
	if again.Wrong != "" {
		return b.show(ctx, again)
	}
	done, err := control.BackupsOf(b.Daemon).Rehearse(ctx, control.RecoveryCode{Code: code})
	var known *control.Error
	switch {
	case errors.As(err, &known) && known.Status == http.StatusForbidden:
		return b.show(ctx, View{Wrong: "recovery.other_code"})
	case err != nil:
		return nil, err
	}
	return b.show(ctx, View{Rehearsed: &done})
}

// Replacement is the screen of the machine that replaces another.
type Replacement struct {
	House    bool              // this machine is a gateway already
	Restored *control.Restored // nil: not yet
	Wrong    string            // key of the words; empty: nothing is wrong
	Said     string            // by the daemon, where Wrong does not say it; in English
	At       int               // the character of the token that is mistyped, which the words name; 0: none
}

// Status returns the HTTP status of the screen.
func (r Replacement) Status() int { return status(r.Wrong) }

// Replace returns the screen of a new machine.
func (b Backups) Replace(r *http.Request) (Screen, error) {
	return b.replace(r.Context(), Replacement{})
}

// replace adds the state of the machine to a view.
func (b Backups) replace(ctx context.Context, r Replacement) (Replacement, error) {
	st, err := control.SettingUp(b.Daemon).State(ctx)
	r.House = st.State == control.SetupHouse
	return r, err
}

// Path is that of the form with a backup, and MostUpload the bound of what is sent with it, in
// bytes: the backup and the code. Restore reads it.
const (
	Path       = "/restore"
	MostUpload = control.MostRestore + 16<<10
)

// Restore makes the machine the gateway of a backup; allow reports whether another try is allowed.
func (b Backups) Restore(r *http.Request, allow func() bool) (Screen, error) {
	ctx := r.Context()
	if now, err := b.replace(ctx, Replacement{}); err != nil {
		return nil, err
	} else if now.House { // it was set up since the form was shown
		return Replacement{House: true, Wrong: "recovery.replace_house"}, nil
	}
	data, err := upload(r)
	var large *http.MaxBytesError
	token := strings.TrimSpace(r.FormValue("token"))
	switch {
	case errors.As(err, &large):
		return b.replace(ctx, Replacement{Wrong: "recovery.too_large"})
	case err != nil:
		return b.replace(ctx, Replacement{Wrong: "recovery.no_file"})
	case !allow():
		return b.replace(ctx, Replacement{Wrong: tooFast})
	case token == "" && len(data) == 0:
		return b.replace(ctx, Replacement{Wrong: "recovery.no_file"})
	}
	if at := slip(token); at > 0 {
		return b.replace(ctx, Replacement{Wrong: "setup.said_mistyped", At: at})
	}
	done, err := control.BackupsOf(b.Daemon).Restore(ctx, control.RestoreRequest{Data: data, Token: token, Code: r.FormValue("code")})
	var known *control.Error
	switch {
	case err == nil:
		return Replacement{Restored: &done}, nil
	case !errors.As(err, &known) || known.Status == 0:
		return nil, err
	}
	words := map[int]string{http.StatusForbidden: "recovery.wrong_code", http.StatusBadRequest: "recovery.bad_file"}
	if token != "" {
		words[http.StatusBadRequest], words[http.StatusNotFound] = "recovery.bad_snapshot", "recovery.no_snapshot"
	}
	if wrong := words[known.Status]; wrong != "" {
		return b.replace(ctx, Replacement{Wrong: wrong})
	}
	return b.replace(ctx, Replacement{Wrong: "recovery.refused", Said: known.Message})
}

// slip returns the character at which a token is mistyped; 0: none is known.
func slip(token string) int {
	mistake := new(typed.Mistake)
	_, err := wire.ParseToken(token)
	_ = errors.As(err, &mistake) // another error names no place
	return mistake.At
}

// upload returns the file of a form, whose size is bounded; empty if there is none.
func upload(r *http.Request) ([]byte, error) {
	switch err := r.ParseMultipartForm(MostUpload); {
	case errors.Is(err, http.ErrNotMultipart):
		return nil, nil
	case err != nil:
		return nil, err
	}
	defer r.MultipartForm.RemoveAll() // if it was larger than the memory limit
	file, _, err := r.FormFile("backup")
	if err != nil {
		return nil, nil
	}
	defer file.Close()
	return io.ReadAll(file)
}

// Download makes a backup and sends it, for a phone or a stick.
func (b Backups) Download(w http.ResponseWriter, r *http.Request) error {
	made, err := control.BackupsOf(b.Daemon).Take(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": made.Name}))
	_, _ = w.Write(made.Data) // the client may be gone
	return nil
}
