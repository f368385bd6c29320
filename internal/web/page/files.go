package page

import (
	"net/http"
	"path"
)

// files serves the style and the script, which are the same for everybody.
func files() Route {
	return At("GET /static/{name}", Anybody, func(v *Visit) error {
		v.W.Header().Set("Cache-Control", "max-age=600")
		http.ServeFileFS(v.W, v.Request, embedded, "static/"+path.Base(v.PathValue("name")))
		return nil
	})
}
