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

// Widths are those of a picture, by what its name ends with, in CSS pixels.
var Widths = map[string]int64{"": 390, "-wide": 1100}

// Directory is where the pictures go. It skips the test unless pictures are wanted.
func Directory(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("GATEHOUSE_SCREENS")
	if dir == "" {
		t.Skip("SKIP: only for make screens")
	}
	return dir
}

// Camera photographs what a session of an HTTP client sees. For one goroutine.
type Camera struct {
	t    testing.TB
	ctx  context.Context
	dir  string
	base string
	http *http.Client
}

// NewCamera starts a browser for the session that an HTTP client has at a page; it ends with the
// test. Scripts are off, since one would wait for a card by itself.
func NewCamera(t testing.TB, base string, c *http.Client) *Camera {
	t.Helper()
	dir := Directory(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU) // it sees nothing but our page
	ctx, endAll := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(func() { end(); endAll() })
	must(t, chromedp.Do(ctx, chromedp.Navigate(base+"/static/page.css"), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})))
	return &Camera{t, ctx, dir, base, c}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Take photographs what is at a path, under the name of a screen.
func (c *Camera) Take(path, screen string) {
	c.t.Helper()
	for _, language := range []string{"zh", "en"} {
		c.speak(language)
		for suffix, width := range Widths {
			must(c.t, chromedp.Do(c.ctx, chromedp.EmulateViewport(width, 600), chromedp.Navigate(c.base+path)))
			_, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](`document.querySelectorAll("button[hidden]").forEach((b) => { b.hidden = false; }) === undefined`)) // as the script does
			must(c.t, err)
			picture, err := chromedp.Run(c.ctx, chromedp.FullScreenshot(100))
			must(c.t, err)
			Write(c.t, filepath.Join(c.dir, screen+suffix+"-"+language+".png"), picture)
		}
	}
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
