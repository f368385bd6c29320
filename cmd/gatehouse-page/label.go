package main

import (
	"bufio"
	"bytes"
	"fmt"
	"html/template"
	"io"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/qrcode"
)

// labelCmd writes what is stuck to a box before it goes to its house: how a telephone joins its Wi-Fi, where
// its page is, and the code that makes the first owner.
type labelCmd struct {
	File string `arg:"" help:"Where the label is written, HTML, to print." placeholder:"FILE"`
	Page string `help:"Where the page is reached from a telephone in the house (${default})." default:"https://gatehouse.local" placeholder:"URL"`
	Wifi string `name:"wifi" help:"Name of the box's own Wi-Fi, if it has one; its password is the first line of standard input, an empty one for none." placeholder:"NAME"`
}

// label is what stands on it.
type label struct {
	Page, Code, Wifi    string
	Join, Open, Officer template.HTML // pictures; Join is empty without a Wi-Fi
}

// Show is where an officer shows a mandate.
func (l label) Show() string { return strings.TrimSuffix(l.Page, "/") + page.OfficerPath }

var labelSheet = template.Must(template.New("label").Parse(`<!doctype html>
<html lang="zh"><meta charset="utf-8"><title>网关标签 Label</title>
<style>body{font:1rem/1.5 sans-serif;margin:1rem}svg{width:4cm;height:4cm;display:block}div{display:inline-block;vertical-align:top;margin-right:1cm;max-width:6cm}b{font-size:1.6rem}</style>
{{with .Join}}<div>{{.}}<p>1　手机用相机扫，连上 {{$.Wifi}}<br><span lang="en">Point the camera here to join {{$.Wifi}}</span></p></div>{{end}}
<div>{{.Open}}<p>{{if .Join}}2　{{end}}再扫这个，打开 {{.Page}}<br><span lang="en">Then here, to open {{.Page}}</span></p></div>
<div><b>{{.Code}}</b><p>代码：第一个输入它的人就是房主，之后作废。装好之前收在盒子里。<br><span lang="en">The code: whoever types it first is the owner, and it is void then. Keep it inside the box until the house is set up.</span></p></div>
<div>{{.Officer}}<p>办案人员凭调取令：{{.Show}}<br><span lang="en">Officers with a mandate: {{.Show}}</span></p></div>
</html>
`))

func (c labelCmd) Run(s *session) (err error) {
	l := label{Page: c.Page, Wifi: c.Wifi}
	if l.Code, err = s.code(); err != nil {
		return err
	}
	if l.Open, err = qrcode.Draw(c.Page); err != nil {
		return fmt.Errorf("draw the page's address: %w", err)
	}
	if l.Officer, err = qrcode.Draw(l.Show()); err != nil {
		return fmt.Errorf("draw the address for officers: %w", err)
	}
	if c.Wifi != "" {
		password, err := bufio.NewReader(io.LimitReader(s.In, 1024)).ReadString('\n')
		if err != nil && password == "" {
			return socket.Hinted("an empty line says that it has none", "no password of the Wi-Fi on standard input")
		}
		if l.Join, err = qrcode.Draw(joining(c.Wifi, strings.TrimRight(password, "\r\n"))); err != nil {
			return fmt.Errorf("draw the Wi-Fi: %w", err)
		}
	}
	var out bytes.Buffer
	if err := labelSheet.Execute(&out, l); err != nil {
		return fmt.Errorf("draw the label: %w", err)
	}
	if err := durable.WriteFile(c.File, out.Bytes(), 0o600); err != nil {
		return socket.Hinted("name a file in a directory that is there", "write the label: %v", err)
	}
	fmt.Fprintf(s.Err, "%s is a label to print, as secret as the code\n", c.File)
	return nil
}

// joining is the text of a picture by which a telephone joins a Wi-Fi, as ZXing has it and cameras read it.
func joining(name, password string) string {
	plain := strings.NewReplacer(`\`, `\\`, `;`, `\;`, `,`, `\,`, `:`, `\:`, `"`, `\"`)
	if password == "" {
		return "WIFI:T:nopass;S:" + plain.Replace(name) + ";;"
	}
	return "WIFI:T:WPA;S:" + plain.Replace(name) + ";P:" + plain.Replace(password) + ";;"
}
