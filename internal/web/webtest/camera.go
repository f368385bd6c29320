// Package webtest takes the pictures of docs/screens, in a real Chromium: each screen in both
// languages, as a phone and as a desk has it. For tests alone; make screens runs them.
package webtest

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Widths are the widths of pictures in CSS pixels, by the suffix of their names.
var Widths = map[string]int64{"": 390, "-wide": 1100}

// Directory is where the pictures go. Where nobody asks for pictures it skips the test.
func Directory(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("GATEHOUSE_SCREENS")
	if dir == "" {
		t.Skip("SKIP: only for make screens")
	}
	return dir
}

// Camera audits what a session of an HTTP client sees, and photographs it for make screens. For one goroutine.
type Camera struct {
	t        testing.TB
	ctx      context.Context
	dir      string // empty: nobody asks for pictures
	base     string
	http     *http.Client
	heaviest int
	where    string
}

// NewCamera starts a browser for the session that an HTTP client has at a page; it ends with the
// test. The page's scripts are off, since one would wait for a card by itself.
func NewCamera(t testing.TB, base string, c *http.Client) *Camera {
	t.Helper()
	dir := os.Getenv("GATEHOUSE_SCREENS")
	if dir == "" && testing.Short() {
		t.Skip("no screen is looked at in a short test")
	}
	camera := &Camera{t: t, ctx: Chromium(t), dir: dir, base: base, http: c}
	must(t, chromedp.Do(camera.ctx, chromedp.Navigate(base+"/static/page.css")))
	t.Cleanup(func() { t.Logf("the heaviest screen is %s with %d bytes", camera.where, camera.heaviest) })
	return camera
}

// scripts switches those of pages that are opened from now on.
func (c *Camera) scripts(on bool) {
	c.t.Helper()
	must(c.t, chromedp.Do(c.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	})))
}

// media has the page shown in light or dark, or as it is printed.
func (c *Camera) media(kind, scheme string) {
	c.t.Helper()
	must(c.t, chromedp.Do(c.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: kind, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Take audits what is at a path in both languages and widths, a phone's in light and a desk's in dark, and a sheet as it is printed, too.
// It photographs it under the name of a screen where pictures are asked for.
func (c *Camera) Take(path, screen string) {
	c.t.Helper()
	c.visit(path, screen, true, c.dir != "")
}

// Look is Take without pictures, for what looks much like another screen.
func (c *Camera) Look(path, screen string) {
	c.t.Helper()
	c.visit(path, screen, true, false)
}

// Picture is Take without an audit, for what is loaded again meanwhile.
func (c *Camera) Picture(path, screen string) {
	c.t.Helper()
	c.visit(path, screen, false, c.dir != "")
}

func (c *Camera) visit(path, screen string, audited, pictured bool) {
	c.t.Helper()
	for _, language := range []string{"zh", "en"} {
		c.speak(language)
		for suffix, width := range Widths {
			name := screen + suffix + "-" + language
			c.scripts(false)
			must(c.t, chromedp.Do(c.ctx, chromedp.EmulateViewport(width, 600), chromedp.Navigate(c.base+path)))
			_, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](`document.querySelectorAll("button[hidden]").forEach((b) => { b.hidden = false; }) === undefined`)) // as the script does
			must(c.t, err)
			c.scripts(true)
			if audited {
				c.audit(name, suffix != "")
			}
			if pictured {
				picture, err := chromedp.Run(c.ctx, chromedp.FullScreenshot(100))
				must(c.t, err)
				Write(c.t, filepath.Join(c.dir, name+".png"), picture)
			}
		}
	}
}

// audit looks at what is shown; it leaves it in light, as pictures are.
func (c *Camera) audit(name string, dark bool) {
	c.t.Helper()
	var sheet bool
	look(c.ctx, c.t, `document.querySelector(".sheet,[data-print]") != null`, &sheet)
	if dark {
		c.media("", "dark")
	}
	if n := Audit(c.ctx, c.t, name); n > c.heaviest {
		c.heaviest, c.where = n, name
	}
	if sheet && !dark {
		c.media("print", "light")
		Audit(c.ctx, c.t, name+", printed")
	}
	c.media("", "light")
}

// speak chooses a language of the page, and gives the browser the client's cookies.
func (c *Camera) speak(language string) {
	c.t.Helper()
	resp, err := c.http.Post(c.base+"/language", "application/x-www-form-urlencoded", strings.NewReader("to="+language))
	must(c.t, err)
	must(c.t, resp.Body.Close())
	at, err := url.Parse(c.base)
	must(c.t, err)
	for _, cookie := range c.http.Jar.Cookies(at) {
		_, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](fmt.Sprintf("document.cookie = %q", cookie.Name+"="+cookie.Value+"; path=/")))
		must(c.t, err)
	}
}

// Write writes a picture, a PNG, with a palette: a screen has few colours, and takes a third of the room.
func Write(t testing.TB, path string, picture []byte) {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	must(t, err)
	small := image.NewPaletted(full.Bounds(), colours(full))
	draw.Draw(small, small.Bounds(), full, full.Bounds().Min, draw.Src)
	var out bytes.Buffer
	must(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small))
	must(t, os.WriteFile(path, out.Bytes(), 0o644))
}

// colours are the most frequent of a picture, as many as a palette has.
func colours(picture image.Image) (p color.Palette) {
	count := map[color.RGBA]int{}
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
			count[color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return count[b] - count[a] })
	for _, c := range all[:min(len(all), 256)] {
		p = append(p, c)
	}
	return p
}
