package main_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestPrintsOfAStandaloneHouse: what a house without a registry prints, and reads on the screen of the prints, promises
// nothing that only a registry does; what it does not keep it does not print.
func TestPrintsOfAStandaloneHouse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.owner()
	base := h.page()
	c := h.signIn(base, "127.0.0.1")
	for _, sheet := range []struct {
		path, zh, en string
		not          []string
	}{
		{"/stickers", "请马上告诉房东，由房东停卡", "Tell the landlord at once", []string{"<svg", "/resident/", "扫", "Scan", "输房号", "type your flat"}},
		{"/people/roster", "请自己写", "write the list for a fire drill yourself", []string{"<table", "data-print", "合计", "Total"}},
		{"/more", "封存网关的存储卡", "the officers secure its memory card", []string{"登记中心调取", "the registry answers"}},
		{"/people/3B/slip", "这里没有这个住户登记", "There is no such tenancy here", []string{"class=\"sheet\"", "data-print", "gatehouse tenancy"}},
		{"/people/3B/notice", "这里没有这个住户登记", "There is no such tenancy here", []string{"class=\"sheet\"", "data-print", "gatehouse tenancy"}},
	} {
		for lang, want := range map[string]string{"zh": sheet.zh, "en": sheet.en} {
			_, _, err := send(c, base+"/language", "to", lang)
			must(t, err)
			body := whatever(t, c, base+sheet.path)
			if !strings.Contains(body, want) {
				t.Errorf("%s in %s does not say %q: %s", sheet.path, lang, want, body)
			}
			for _, no := range sheet.not {
				if strings.Contains(body, no) {
					t.Errorf("%s in %s has %q", sheet.path, lang, no)
				}
			}
		}
	}
}

// whatever returns a page of any status.
func whatever(t *testing.T, c *http.Client, address string) string {
	t.Helper()
	resp, err := c.Get(address)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(body)
}
