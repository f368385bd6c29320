package web

import (
	"net/http"

	"gatehouse/internal/web/text"
)

// languageCookie keeps the language that somebody chose.
const languageCookie = "gatehouse-language"

func languageOf(r *http.Request) text.Language {
	if c, err := r.Cookie(languageCookie); err == nil && (c.Value == string(text.Chinese) || c.Value == string(text.English)) {
		return text.Language(c.Value)
	}
	return text.Choose(r.Header.Get("Accept-Language"))
}
