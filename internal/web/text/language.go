package text

import "net/http"

// Cookie is the name of the cookie with the chosen language.
const Cookie = "gatehouse-language"

// Of returns the language of the answer to a request: the chosen one, or the browser's.
func Of(r *http.Request) Language {
	if c, err := r.Cookie(Cookie); err == nil && (c.Value == string(Chinese) || c.Value == string(English)) {
		return Language(c.Value)
	}
	return Choose(r.Header.Get("Accept-Language"))
}
