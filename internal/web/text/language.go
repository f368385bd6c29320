package text

import "net/http"

// Cookie is the name of the cookie that keeps the language that somebody chose.
const Cookie = "gatehouse-language"

// Of is the language that a request is to be answered in: the one that was chosen, or the
// browser's.
func Of(r *http.Request) Language {
	if c, err := r.Cookie(Cookie); err == nil && (c.Value == string(Chinese) || c.Value == string(English)) {
		return Language(c.Value)
	}
	return Choose(r.Header.Get("Accept-Language"))
}
