package wire

import (
	"encoding/json"
	"testing"
)

// TestNamesAsText: in JSON, as files of the gateway have them, ids and hashes are hex of
// exactly their length, also as keys of a map.
func TestNamesAsText(t *testing.T) {
	type file struct {
		ID         ID            `json:"id"`
		Credential CredentialID  `json:"credential"`
		Hash       Hash          `json:"hash"`
		Labels     map[ID]string `json:"labels"`
		Against    ID            `json:"against,omitzero"`
	}
	in := file{ID{1, 15: 2}, CredentialID{1, 16: 3}, Hash{4, 31: 5}, map[ID]string{{6}: "3B"}, ID{}}
	text, err := json.Marshal(in)
	want := `{"id":"01000000000000000000000000000002","credential":"0100000000000000000000000000000003",` +
		`"hash":"0400000000000000000000000000000000000000000000000000000000000005","labels":{"06000000000000000000000000000000":"3B"}}`
	if err != nil || string(text) != want {
		t.Fatalf("%s, %v", text, err)
	}
	var out file
	if err := json.Unmarshal(text, &out); err != nil || out.ID != in.ID || out.Credential != in.Credential || out.Hash != in.Hash || out.Labels[ID{6}] != "3B" {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, bad := range []string{`{"id":"01"}`, `{"id":"0100000000000000000000000000000g"}`, `{"hash":"0100"}`, `{"credential":"010000000000000000000000000000000300"}`} {
		if err := json.Unmarshal([]byte(bad), &out); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
