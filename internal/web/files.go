package web

import (
	"net/http"
	"path"
)

// files answers the style and the script, which are the same for everybody.
type files struct{}

func (files) routes() []route {
	return []route{{"GET /static/{name}", anybody, func(v *visit) error {
		v.w.Header().Set("Cache-Control", "max-age=600")
		http.ServeFileFS(v.w, v.Request, embedded, "static/"+path.Base(v.PathValue("name")))
		return nil
	}}}
}
