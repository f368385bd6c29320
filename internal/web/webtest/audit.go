package webtest

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

//go:embed axe/axe.min.js
var axe string

// MostPaint is how many bytes a screen may take until it can be used.
const MostPaint = 100 << 10

// Chromium starts a browser for a test, which ends with it. Where there is none the test is skipped, or fails where
// GATEHOUSE_REQUIRE names it.
func Chromium(t testing.TB) context.Context {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), "chromium") {
			t.Fatal("needs chromium: it is not in the path")
		}
		t.Skip("SKIP (needs chromium): it is not in the path")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU) // it sees nothing but our page
	ctx, endAll := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(func() { end(); endAll() })
	must(t, chromedp.Do(ctx))
	return ctx
}

// weight is the bytes of all that a screen consists of, also of a script that is switched off.
const weight = `Promise.all([...document.querySelectorAll("link[href],script[src],img[src]")].map((e) => e.href || e.src).filter((u) => u.startsWith(location.origin)).map((u) => fetch(u).then((r) => r.blob()).then((b) => b.size + 300)))
	.then((all) => all.reduce((n, m) => n + m, performance.getEntriesByType("navigation")[0].encodedBodySize + 300))`

// violation is what axe finds.
type violation struct {
	ID   string   `json:"id"`
	Help string   `json:"help"`
	At   []string `json:"at"`
}

// Audit wants of what a tab shows that axe finds nothing serious or critical, that nothing is cut off, and that it came
// with at most MostPaint bytes. It returns these: the page, its style, script and pictures, with 300 for the head of each answer.
func Audit(ctx context.Context, t testing.TB, where string) (bytes int) {
	t.Helper()
	look(ctx, t, axe+"; true", new(bool))
	var found []violation
	look(ctx, t, `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.filter((v) => v.impact == "serious" || v.impact == "critical").map((v) => ({id: v.id, help: v.help, at: v.nodes.map((n) => n.html)})))`, &found)
	for _, v := range found {
		told, _ := json.Marshal(v)
		t.Errorf("%s: %s", where, told)
	}
	var over int
	if look(ctx, t, `document.documentElement.scrollWidth - innerWidth`, &over); over > 0 {
		t.Errorf("%s is wider than the screen by %d", where, over)
	}
	look(ctx, t, weight, &bytes)
	if bytes > MostPaint {
		t.Errorf("%s takes %d bytes until it can be used, want at most %d", where, bytes, MostPaint)
	}
	return bytes
}

// look evaluates an expression in a tab; a promise is awaited.
func look[T any](ctx context.Context, t testing.TB, expression string, into *T) {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.100s: %v", expression, err)
	}
	*into = v
}
