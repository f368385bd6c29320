package site

import (
	"strings"
	"testing"
)

// TestWrongTypes: a value of the wrong type is told with its key and with how it
// is written.
func TestWrongTypes(t *testing.T) {
	const reader = "[[door]]\n[[door.reader]]\n"
	for text, want := range map[string]string{
		reader + `keypad = "key4"`:                 `line 3, column 10: "door.reader.keypad" has a value of the wrong type: want a table, like {kind = "key4"}`,
		reader + `keypad = {kind = 4}`:             `line 3, column 18: "door.reader.keypad.kind" has a value of the wrong type: want a text, in quotes`,
		reader + `keypad.kind = 4`:                 `"door.reader.keypad.kind" has a value of the wrong type: want a text`,
		reader + `formats = "H10301"`:              `"door.reader.formats" has a value of the wrong type: want a list, like ["H10301"]`,
		reader + `formats = [10301]`:               `"door.reader.formats" has a value of the wrong type: want a list, like ["H10301"]`,
		reader + `formats = [[10301]]`:             `"door.reader.formats" has a value of the wrong type: want a list`,
		reader + `reverse_bytes = "true"`:          `want true or false, without quotes`,
		reader + `d0 = "5"`:                        `"door.reader.d0" has a value of the wrong type: want a whole number, without quotes`,
		reader + `baud = 9600.0`:                   `want a whole number`,
		reader + `settings = "hex"`:                `want a table, like {base = "dec"}`,
		reader + `settings = {digits = 10}`:        `"door.reader.settings.digits" has a value of the wrong type: want a list of numbers, like [8, 10]`,
		reader + `settings = {skip=1, once = "x"}`: `"door.reader.settings.once" has a value of the wrong type: want true or false`,
		"[[door]]\nrelay = 17":                     `"door.relay" has a value of the wrong type: want a table, like {chip = "gpiochip0", line = 17}`,
		"[[door]]\nrelay = {line = \"17\"}":        `"door.relay.line" has a value of the wrong type: want a whole number`,
		"[[door]]\nheld_seconds = \"5\"":           `want a number, without quotes`,
		"[[door]]\nreader = \"in\"":                `each reader begins with a line [[door.reader]]`,
		"[[door]]\nid.x = 3":                       `"door.id" has a value of the wrong type: want a text`,
		"[building]\nx = 3":                        `line 1, column 2: "building" has a value of the wrong type: want a text`,
		"[[fire]]\nline = 3":                       `"fire" has a value of the wrong type: want a table`,
		"door = \"front\"":                         `each door begins with a line [[door]]`,
		"journal = true":                           `want a table, like {max_mb = 512}`,
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\ndoes not say %q", text, err, want)
		} else if strings.Contains(err.Error(), "[[10301]]") || strings.Contains(err.Error(), "line 1, column 1:") {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

// TestForeignCharacters: what a word processor, an input method or an old editor puts into
// a site file is told as it looks, with what to write.
func TestForeignCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"building = “lane-7”":                "line 1, column 12: '“' can't stand there: write text between straight quotation marks",
		"[[door]]\nrelay={line=１７}":          "line 2, column 13: '１' can't stand there",
		"# \xc7\xb0\xc3\xc5\nstate=1":        "line 1: it is not UTF-8: save the file as UTF-8",
		"\xff\xfeb\x00":                      "line 1: it is not UTF-8",
		"#\nbuilding = \"\xc7\xb0\xc3\xc5\"": "line 2: it is not UTF-8",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q\n%v\ndoes not say %q", text, err, want)
		}
	}
}

// TestUnknownKeys: a key in a table on one line is told with the keys of that
// table.
func TestUnknownKeys(t *testing.T) {
	const reader = "[[door]]\n[[door.reader]]\nid = \"in\"\n"
	for text, want := range map[string]string{
		reader + `keypad = {kinds = "key4"}`:                 `line 4: unknown key "door.reader.keypad.kinds" (did you mean "kind"?)`,
		reader + `keypad = {kind = "key4", colour = 3}`:      `"door.reader.keypad.colour" (known here: kind, codes, facility)`,
		reader + `keypad.kinds = "key4"`:                     `"door.reader.keypad.kinds" (did you mean "kind"?)`,
		reader + "[door.reader.keypad]\nkinds = \"key4\"":    `"door.reader.keypad.kinds" (did you mean "kind"?)`,
		reader + `settings = {bases = "hex"}`:                `"door.reader.settings.bases" (did you mean "base"?)`,
		reader + `formats = ["H10301"]` + "\nformat = \"x\"": `"door.reader.format" (did you mean "formats"?)`,
		"[[door]]\nrelay = {chips = \"gpiochip0\"}":          `"door.relay.chips" (did you mean "chip"?)`,
		"journal = {budget = 3}":                             `"journal.budget" (known here: max_mb, budget_ms, who_days)`,
		"\ufeffgatway = \"gw1\"":                             `line 1: unknown key "gatway" (did you mean "gateway"?)`,
		"[[doors]]\nid = \"front\"":                          `unknown key "doors" (did you mean "door"?)`,
		"door = [{relay = {chips = 3}}]":                     `unknown key "relay.chips"`, // the list is lost, the word is not
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\ndoes not say %q", text, err, want)
		}
	}
}
