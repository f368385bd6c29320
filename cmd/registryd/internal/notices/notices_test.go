package notices

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

const day = 86400

// asked is a mandate for the passages at the front door of days 10 to 20.
func asked(change func(r *mandates.Request)) notice {
	r := mandates.Request{Building: "house-1", Gateways: []mandates.Gateway{{ID: "gw-1", Doors: []string{"front"}}}, From: 10 * day, Until: 20 * day}
	change(&r)
	return notice{m: mandates.Mandate{Request: r, Approval: mandates.Approval{Purpose: "盗窃案侦查", Notice: "调证-1"}},
		Notice: api.Notice{Reference: wire.ID{9}, Answers: []api.NoticeGiven{{Place: api.Place{Building: "house-1", Gateway: "gw-1"},
			Logs: []api.DisclosedLog{{Epoch: 7, Within: []api.Run{{First: 3, End: 5}, {First: 8, End: 9}}}}}}}}
}

// TestWhom: told is who had a flat in the time that was asked for, and not who had it before or after, nor a neighbour.
func TestWhom(t *testing.T) {
	at := func(d int) time.Time { return time.Unix(int64(d*day), 0) }
	live := func(id byte, flat string, since, until int) operator.Tenancy {
		v := operator.Tenancy{ID: wire.ID{id}.String(), Flat: flat, Since: at(since)}
		if until > 0 {
			v.Until = new(at(until))
		}
		return v
	}
	building := []operator.Tenancy{live(1, "3b", 0, 10), live(2, "3b", 0, 11), live(3, "3b", 15, 0), live(4, "3b", 20, 0), live(5, "4a", 0, 0), live(6, "5a", 0, 5)}
	for _, c := range []struct {
		change func(r *mandates.Request)
		want   string
	}{
		{func(r *mandates.Request) { r.Flats = []string{"3b"} }, "02 03"},
		{func(r *mandates.Request) { r.Tenancies = []wire.ID{{6}} }, "06"},
		{func(r *mandates.Request) { r.Cards = []wire.CredentialID{{1}} }, ""},
		{func(*mandates.Request) {}, ""},
	} {
		var got []string
		for _, v := range asked(c.change).whom(building) {
			got = append(got, v.ID[:2])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("told are %v, want %s", got, c.want)
		}
	}
}

// TestMet: of a mandate that names nobody, or a card, hears who is in the answer: at its door, in its time, by that card.
func TestMet(t *testing.T) {
	card, other := wire.CredentialID{1, 7}, wire.CredentialID{1, 8}
	everybody, byCard := asked(func(*mandates.Request) {}), asked(func(r *mandates.Request) { r.Cards = []wire.CredentialID{card} })
	inside := entry{"house-1/gw-1", 7, 4}
	for _, c := range []struct {
		name   string
		n      notice
		at     entry
		door   string
		card   wire.CredentialID
		wanted bool
	}{
		{"in it", everybody, inside, "front", other, true}, {"the last of a run", everybody, entry{"house-1/gw-1", 7, 8}, "front", other, true},
		{"before", everybody, entry{"house-1/gw-1", 7, 2}, "front", other, false}, {"after a run", everybody, entry{"house-1/gw-1", 7, 5}, "front", other, false},
		{"another epoch", everybody, entry{"house-1/gw-1", 8, 4}, "front", other, false}, {"another gateway", everybody, entry{"house-1/gw-2", 7, 4}, "front", other, false},
		{"another door", everybody, inside, "back", other, false}, {"by the card", byCard, inside, "front", card, true}, {"by another card", byCard, inside, "front", other, false},
		{"a flat is named", asked(func(r *mandates.Request) { r.Flats = []string{"9z"} }), inside, "front", card, false},
	} {
		if got := c.n.met(map[entry]passage{c.at: {door: c.door, card: &c.card}}); got != c.wanted {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestSheet: a sheet says what was asked for, of one tenancy, and no case number.
func TestSheet(t *testing.T) {
	s := asked(func(r *mandates.Request) { r.Flats = []string{"3b", "4a"} }).sheet(forTenancy, time.UTC, row{rowFlat, "3b"})
	var said strings.Builder
	for _, r := range s.Rows {
		said.WriteString(r.Name.ZH + r.Name.EN + " " + r.Value + "\n")
	}
	for _, want := range []string{"房号flat 3b\n", "门doors front\n", "1970-01-11 00:00:00 +00:00 – 1970-01-21 00:00:00 +00:00", "盗窃案侦查", "调证-1"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the sheet lacks %q:\n%s", want, &said)
		}
	}
	if strings.Contains(said.String(), "4a") {
		t.Errorf("the sheet names a neighbour:\n%s", &said)
	}
}

// TestWords: each text is there in both languages.
func TestWords(t *testing.T) {
	han := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	for _, v := range []text{sheetWords.Title, sheetWords.Rights, forTenancy, forBuilding, rowBuilding, rowFlat, rowTenancy, rowDoors, rowSpan, rowPurpose, rowIssuing, rowNotice, rowAnswered, rowReference} {
		if !strings.ContainsFunc(v.ZH, han) || v.EN == "" || strings.ContainsFunc(v.EN, han) {
			t.Errorf("%+v", v)
		}
	}
}
