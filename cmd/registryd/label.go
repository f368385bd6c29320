package main

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/internal/web/qrcode"
)

// label is a token as a picture: a telephone's own camera opens it at the page of the house.
// The token stands behind the #, which a browser sends to nobody.
type label struct {
	Building, Gateway, Until string
	Code                     template.HTML
}

// sheet is the label as it is printed.
var sheet = template.Must(template.New("label").Parse(`<!doctype html>
<html lang="zh"><meta charset="utf-8"><title>{{.Building}} {{.Gateway}}</title>
<style>body{font:1rem/1.5 sans-serif;margin:2rem}svg{width:9cm;height:9cm;display:block}</style>
<h1>{{.Building}} · {{.Gateway}}</h1>
{{.Code}}
<p>手机连到网关所在的网络，用相机扫，登录后点“连接”。只能用一次，{{.Until}} 前有效。用过就撕掉。</p>
<p lang="en">With the telephone in the gateway's network, point the camera here, sign in and press Connect. Good once, until {{.Until}}. Tear it up then.</p>
</html>
`))

// write writes the label for a page to a file.
func (l label) write(path, page, token string) (err error) {
	if l.Code, err = qrcode.Draw(address(page, token)); err != nil {
		return fmt.Errorf("draw the label: %w", err)
	}
	var out bytes.Buffer
	if err := sheet.Execute(&out, l); err != nil {
		return fmt.Errorf("draw the label: %w", err)
	}
	if err := durable.WriteFile(path, out.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the label: %w", err)
	}
	return nil
}

// address is where the page takes a token.
func address(page, token string) string {
	return strings.TrimSuffix(page, "/") + "/setup/registry#token=" + token
}
