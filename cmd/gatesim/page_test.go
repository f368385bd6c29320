package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/cmd/gatesim/internal/enrolled"
	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/internal/control"
)

// TestPage: whoever opens the house's page for the demo becomes its owner by the code that
// is said, sees the doors, and ends it all by Ctrl-C.
func TestPage(t *testing.T) {
	t.Parallel()
	d := newDemo(t, program(t))
	d.Args[1] = "page"
	d.Stdout = nil
	out, err := d.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	base, code := saidPage(t, d, out)
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	resp, err := c.PostForm(base+"/welcome", url.Values{"code": {code}, "name": {"Landlord"}, "password": {"zwei Birnen 7"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, err := io.ReadAll(resp.Body); err != nil || resp.Request.URL.Path != "/doors" || !strings.Contains(string(page), "yard") {
		t.Errorf("the code leads to %s: %v\n%s", resp.Request.URL, err, page)
	}
	holdsCards(t, d, in)
	_ = d.Process.Signal(syscall.SIGINT)
	_, _ = io.Copy(io.Discard, out)
	if err := d.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v\n%s", err, &d.err)
	}
	d.empty(t)
}

// holdsCards: Enter holds a new card up, which the daemon catches for who checks in, and its number
// the same card again.
func holdsCards(t *testing.T, d *demo, in io.Writer) {
	t.Helper()
	sockets, err := filepath.Glob(filepath.Join(d.tmp, "*", enrolled.Building, "sock"))
	if err != nil || len(sockets) != 1 {
		t.Fatal(sockets, err)
	}
	client := control.NewClient(sockets[0])
	caught := func(line string) []string {
		t.Helper()
		again := time.AfterFunc(time.Second, func() { _, _ = io.WriteString(in, line) })
		defer again.Stop()
		card, err := client.Swipe(t.Context(), control.SwipeRequest{Door: ledger.FrontDoor, Seconds: 60})
		if err != nil {
			t.Fatal(err)
		}
		return card.Credentials
	}
	first, second, again := caught("\n"), caught("\n"), caught("1\n")
	if len(first) == 0 || !slices.Equal(first, again) || slices.Equal(first, second) {
		t.Errorf("cards %v, %v, and the first again %v", first, second, again)
	}
}

// saidPage reads the address and the code that the demo says.
func saidPage(t *testing.T, d *demo, out io.Reader) (base, code string) {
	t.Helper()
	lines, all := bufio.NewReader(out), ""
	for code == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the page was never open: %v\n%s%s", err, all, &d.err)
		}
		all += line
		if m := regexp.MustCompile(`^The page: +(http://127\.0\.0\.1:\d+)\n`).FindStringSubmatch(line); m != nil {
			base = m[1]
		}
		if m := regexp.MustCompile(`^The code: +(\d{4} \d{4}) `).FindStringSubmatch(line); m != nil {
			code = m[1]
		}
	}
	return base, code
}
