package text

import (
	"net/http"
	"os"
	"strings"
)

// Cookie is the name of the cookie with the chosen language.
const Cookie = "gatehouse-language"

// Of returns the language of the answer to a request: the chosen one, or the browser's.
func Of(r *http.Request) Language {
	if c, err := r.Cookie(Cookie); err == nil && (c.Value == string(Chinese) || c.Value == string(English)) {
		return Language(c.Value)
	}
	return Choose(r.Header.Get("Accept-Language"))
}

// System returns the wanted language of a command, or the system's: Chinese where it does not say.
func System(wanted string) Language {
	for _, said := range []string{wanted, os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")} {
		switch {
		case said == "":
			continue
		case strings.HasPrefix(strings.ToLower(said), "zh"):
			return Chinese
		}
		return English
	}
	return Chinese
}
