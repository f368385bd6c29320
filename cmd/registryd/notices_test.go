package main

import (
	"os"
	"path/filepath"
	"strings"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// tells wants an answered mandate for a flat to be told of: to its tenant, on paper and at the counter, until that is
// done; and an emergency, of which nobody may be told yet, not to be.
func (r *centre) tells(m mandates.Mandate, tenancy wire.ID) {
	t := r.t
	t.Helper()
	reference := m.Reference.String()
	if text := r.ok("notices", "list"); !strings.Contains(text, reference+"  house-1   flats 3b") || !strings.Contains(text, "  due\n") || strings.Contains(text, wire.ID{0xac}.String()) {
		t.Errorf("due is\n%s", text)
	}
	page := filepath.Join(t.TempDir(), "sheets.html")
	r.refused("can't be written", "notices", "print", reference[:8], "--out", filepath.Join(page, "sheets.html"))
	if text := r.ok("notices", "print", reference[:8], "--out", page); !strings.Contains(text, "1 sheet in "+page) {
		t.Error(text)
	}
	sheets, err := os.ReadFile(page)
	must(t, err)
	for _, want := range []string{"门禁记录调取告知书", "<td>" + tenancy.String(), "<td>3b", "<td>调证-2026-1", "甲派出所", "the police have asked for entries of the door log about your tenancy"} {
		if !strings.Contains(string(sheets), want) {
			t.Errorf("the sheet lacks %q:\n%s", want, sheets)
		}
	}
	if strings.Contains(string(sheets), tenantName) || strings.Contains(string(sheets), m.Approval.Case) {
		t.Errorf("the sheet tells too much:\n%s", sheets)
	}
	records := filepath.Join(r.dir, "offline", "records.key")
	counter := []string{"told", tenancy.String()[:8], "--case", "咨询-7", "--key"}
	if text := r.ok(append(counter, records)...); !strings.Contains(text, reference+"\n  甲派出所，文书号 notice 调证-2026-1") || strings.Contains(text, "3b") {
		t.Errorf("the resident hears\n%s", text)
	}
	r.refused("somebody's name", "told", tenancy.String()[:8], "--case", "张三", "--key", records)
	r.refused("is no records key", append(counter, filepath.Join(r.dir, "offline", "escrow.key"))...)
	if text := r.ok("audit"); !strings.Contains(text, "resident: 咨询-7") {
		t.Errorf("that the resident asked is not written down:\n%s", text)
	}
	r.refused("nobody may be told", "notices", "done", wire.ID{0xac}.String()[:8])
	r.refused("nobody may be told", "notices", "print", wire.ID{0xac}.String()[:8], "--out", page)
	r.refused("0 references", "notices", "done", "ffff")
	r.refused("hint: four digits of it at least", "notices", "done", reference[:3])
	r.refused("hint: four digits of it at least", "notices", "print", reference[:3], "--out", page+"2")
	if text := r.ok("notices", "done", reference[:8]); !strings.Contains(text, "mandate "+reference+": told ") {
		t.Error(text)
	}
	if text := r.ok("notices", "list"); text != "none\n" {
		t.Errorf("done, and due is\n%s", text)
	}
	if text := r.ok("notices", "list", "--all"); !strings.Contains(text, "  told ") {
		t.Errorf("all are\n%s", text)
	}
}
