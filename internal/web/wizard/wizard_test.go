package wizard

import (
	"testing"

	"gatehouse/internal/control"
	"gatehouse/internal/web/text"
)

func at(n int) *int { return &n }

// found is a board for two doors with a Wiegand reader at the second's lines, one OSDP bus with
// two readers, and nobody at the first's lines yet.
func found() control.Look {
	return control.Look{Doors: 2, Readers: []control.FoundReader{
		{Type: "wiegand", Door: 2, Card: true}, {Type: "osdp", Port: "/dev/a", Address: at(0)}, {Type: "osdp", Port: "/dev/a", Address: at(1)}}}
}

func front(change func(*Said)) Said {
	s := Said{Reader: "osdp /dev/a 0", Name: "front", Direction: "in", Lock: "fail-safe", Egress: "electric"}
	if change != nil {
		change(&s)
	}
	return s
}

// TestDoors: a Wiegand reader brings the place of its lines along, another one takes the first
// that is free; each reader is at one door, and a second reader of a door joins it.
func TestDoors(t *testing.T) {
	var d Draft
	for _, s := range []Said{
		{Reader: "lines 2", Name: " Back ", Direction: "in", Lock: "fail-secure", Egress: "mechanical", Exit: true, Contact: true},
		front(nil), front(func(s *Said) { s.Reader, s.Direction, s.Lock, s.Egress = "osdp /dev/a 1", "out", "", "" }),
	} {
		if err := d.Add(found(), s); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		d = Read(d.Text())
	}
	doors := d.Answers.Doors
	if len(doors) != 2 || doors[0].ID != "back" || doors[0].Place != 2 || !doors[0].Exit || !doors[0].Contact || doors[1].Place != 1 || len(doors[1].Readers) != 2 || doors[1].Readers[1].ID != "out" || doors[1].Exit {
		t.Errorf("%+v", doors)
	}
	for _, r := range d.Readers(found()) {
		if want := map[string]string{"lines 2": "back", "osdp /dev/a 0": "front", "osdp /dev/a 1": "front", "lines 1": ""}[r.Key]; r.At != want || r.Lit {
			t.Errorf("%s is at %q, lit %v", r.Key, r.At, r.Lit)
		}
	}
	if err := d.Add(found(), front(func(s *Said) { s.Name, s.Reader = "roof", NoneAt })); err != Full {
		t.Errorf("a third door: %v", err)
	}
	d.Drop("back")
	if err := d.Name("Lane-7", true); err != nil || d.Answers.Building != "lane-7" || !d.Answers.Fire || len(d.Answers.Doors) != 1 {
		t.Errorf("%+v, %v", d.Answers, err)
	}
}

// TestReadersOnBothSides: two Wiegand readers are at one door, the second at the lines that are
// meant for another one's reader, and no other door gets that reader.
func TestReadersOnBothSides(t *testing.T) {
	var d Draft
	for _, s := range []Said{front(func(s *Said) { s.Reader = "lines 2" }), front(func(s *Said) { s.Reader, s.Direction, s.Lock, s.Egress = "lines 1", "out", "", "" })} {
		if err := d.Add(found(), s); err != nil {
			t.Fatal(err)
		}
	}
	door := d.Answers.Doors[0]
	if len(d.Answers.Doors) != 1 || door.Place != 2 || len(door.Readers) != 2 || door.Readers[0].Place != 0 || door.Readers[1].Place != 1 || door.Lock != "fail-safe" {
		t.Errorf("%+v", d.Answers.Doors)
	}
	for _, r := range d.Readers(found()) {
		if r.Type == "wiegand" && r.At != "front" {
			t.Errorf("%s is at %q", r.Key, r.At)
		}
	}
	if err := d.Add(found(), front(func(s *Said) { s.Reader, s.Name = "lines 1", "back" })); err != Taken {
		t.Errorf("one reader at two doors: %v", err)
	}
	if err := d.Add(found(), front(func(s *Said) { s.Reader, s.Name = NoneAt, "back" })); err != nil || d.Answers.Doors[1].Place != 1 {
		t.Errorf("a door without a reader, whose lines another one has: %+v, %v", d.Answers.Doors, err)
	}
}

// TestSaidAgain: of a door that is there already counts what was said last.
func TestSaidAgain(t *testing.T) {
	var d Draft
	again := func(change func(*Said)) error {
		return d.Add(found(), front(func(s *Said) { s.Reader = NoneAt; change(s) }))
	}
	_ = d.Add(found(), front(nil))
	if err := again(func(s *Said) { s.Lock, s.Egress, s.Contact = "fail-secure", "mechanical", true }); err != nil {
		t.Fatal(err)
	}
	if door := d.Answers.Doors[0]; door.Lock != "fail-secure" || door.Egress != "mechanical" || !door.Contact || len(door.Readers) != 1 {
		t.Errorf("%+v", door)
	}
	if err := again(func(s *Said) { s.Lock, s.Egress = "", "" }); err != nil || !d.Answers.Doors[0].Contact {
		t.Errorf("what was not given again is gone: %+v, %v", d.Answers.Doors[0], err)
	}
	if err := again(func(s *Said) { s.Lock = "fail-secure" }); err != LockedIn || d.Answers.Doors[0].Egress != "mechanical" {
		t.Errorf("%v: %+v", err, d.Answers.Doors[0])
	}
}

// TestRefused: what was not said is not guessed, and nobody is locked in.
func TestRefused(t *testing.T) {
	for want, change := range map[text.Word]func(*Said){
		NoName: func(s *Said) { s.Name = "大门" }, NoReader: func(s *Said) { s.Reader = "osdp /dev/b 0" }, NoLock: func(s *Said) { s.Lock = "" },
		NoEgress: func(s *Said) { s.Egress = "" }, LockedIn: func(s *Said) { s.Lock = "fail-secure" },
	} {
		var d Draft
		if err := d.Add(found(), front(change)); err != want || len(d.Answers.Doors) != 0 {
			t.Errorf("%v, want %v: %+v", err, want, d)
		}
	}
	var d Draft
	if err := d.Name("lane-7", false); err != NoDoor {
		t.Errorf("a house without a door: %v", err)
	}
	_ = d.Add(found(), front(nil))
	if err := d.Add(found(), front(func(s *Said) { s.Name = "back" })); err != Taken {
		t.Errorf("one reader at two doors: %v", err)
	}
	if err := d.Name("Haus 7", false); err != BadID {
		t.Errorf("an id with a space: %v", err)
	}
}

// TestLit: the one reader at no door to which a card was held is the one that is meant.
func TestLit(t *testing.T) {
	lit := func(look control.Look) (all []string) {
		for _, r := range (Draft{}).Readers(look) {
			if r.Lit {
				all = append(all, r.Key)
			}
		}
		return all
	}
	look := found()
	if got := lit(look); len(got) != 1 || got[0] != "lines 2" {
		t.Errorf("lit: %v", got)
	}
	look.Readers[1].Card = true
	if got := lit(look); len(got) != 0 {
		t.Errorf("two cards: %v", got)
	}
	look = found()
	look.Readers[0].Swapped = true
	if got := lit(look); len(got) != 0 {
		t.Errorf("exchanged wires: %v", got)
	}
}
