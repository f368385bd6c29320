// Package qrcode draws QR codes for pages, and makes the stickers of doors.
package qrcode

import (
	"encoding/base64"
	"html/template"
	"strconv"
	"strings"

	"rsc.io/qr"
)

// Draw returns the QR code of a text as an inline SVG, for which nothing is fetched.
func Draw(text string) (template.HTML, error) {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	const quiet = 4
	side := strconv.Itoa(c.Size + 2*quiet)
	var b strings.Builder
	b.WriteString(`<svg class="qr" viewBox="0 0 ` + side + " " + side + `" role="img" aria-label="QR"><rect width="` + side + `" height="` + side + `" fill="#fff"/><path d="`)
	for y := range c.Size {
		for x := range c.Size {
			if c.Black(x, y) {
				b.WriteString("M" + strconv.Itoa(x+quiet) + " " + strconv.Itoa(y+quiet) + "h1v1h-1z")
			}
		}
	}
	b.WriteString(`" fill="#000"/></svg>`)
	return template.HTML(b.String()), nil
}

// Picture makes a QR code of a text as a link to a PNG that is in the link itself: nothing is fetched for it, and
// nobody but the page has it.
func Picture(text string) (template.URL, error) {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(c.PNG())), nil
}

// Address is that of a path at the host and in the way in which the page is reached now.
func Address(tls bool, host, path string) string {
	if tls {
		return "https://" + host + path
	}
	return "http://" + host + path
}

// Sticker is the code at a door, which leads to the resident's page.
type Sticker struct {
	Door, Address string
	Code          template.HTML
}

// Stickers returns the stickers of doors, with the page's present address.
func Stickers(tls bool, host string, doors []string) (all []Sticker, err error) {
	for _, d := range doors {
		s := Sticker{Door: d, Address: Address(tls, host, "/resident/"+d)}
		if s.Code, err = Draw(s.Address); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
