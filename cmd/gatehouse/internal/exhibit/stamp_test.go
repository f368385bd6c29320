package exhibit

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"gatehouse/internal/command"
	"gatehouse/internal/evidence/stamp/stamptest"
	"gatehouse/internal/socket"
)

// december is when the sample has been cosigned a week ago.
var december = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// desk is an authority with its address, and a directory for what comes of it.
type desk struct {
	*stamptest.Authority
	t    *testing.T
	url  string
	path string
}

func newDesk(t *testing.T, from time.Time) *desk {
	d := &desk{Authority: stamptest.New(t, from, x509.ExtKeyUsageTimeStamping), t: t, path: t.TempDir()}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *desk) write(name string, b []byte) string {
	name = filepath.Join(d.path, name)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return name
}

// get gets a time stamp over whole.zip.
func (d *desk) get(lang string) (file, says string, err error) {
	file = filepath.Join(d.path, "whole.zip.tsr")
	says, err = called(d.t, false, stampCmd{Source: Source{File: sampleFile("whole.zip"), Root: rootDigits, Lang: lang}, TSA: d.url, Out: file}.Run)
	return file, says, err
}

func status(err error) int {
	var ended command.Ended
	switch {
	case errors.As(err, &ended):
		return ended.Status
	case err != nil:
		return 1
	}
	return 0
}

// TestStamp: a file that an authority has stamped existed before that time if the reader names the authority,
// or who certified it; else nobody knows who stamped it, and that is not all that can be proved.
func TestStamp(t *testing.T) {
	d := newDesk(t, december)
	file, says, err := d.get("en")
	if err != nil || !strings.Contains(says, "CN=Test Authority has signed that the file existed before 2026-12-02 08:00:00 +08:00") || !strings.Contains(says, " --stamp "+file+" --tsa-cert ") {
		t.Fatalf("%v\n%s", err, says)
	}
	other := stamptest.New(t, december, x509.ExtKeyUsageTimeStamping)
	root, own, strange := d.write("root.pem", stamptest.PEM(d.Root)), d.write("own.pem", stamptest.PEM(d.Cert)), d.write("strange.pem", stamptest.PEM(other.Root))
	for name, c := range map[string]struct {
		certs  []string
		status int
	}{"the root": {[]string{root}, 0}, "two files": {[]string{strange, own}, 0}, "another root": {[]string{strange}, partly}, "none": {nil, partly}} {
		for lang, want := range map[string][2]string{"en": {"The file existed before 2026-12-02 08:00:00 +08:00: the time-stamping authority CN=Test Authority", "nobody vouches for its time"}, "zh": {"在 2026-12-02 08:00:00 +08:00 以前已经存在", "没有人担保"}} {
			v := Verify{Source{File: sampleFile("whole.zip"), Root: rootDigits, Lang: lang}, Stamped{Stamp: file, TSACert: c.certs}}
			says, err := called(t, false, v.Run)
			if status(err) != c.status || strings.Contains(says, want[0]) != (c.status == 0) || strings.Contains(says, want[1]) != (c.status == partly) {
				t.Errorf("%s: status %d\n%s", name, status(err), says)
			}
			says, err = called(t, true, v.Run)
			var s summary
			if json.Unmarshal([]byte(says), &s) != nil || status(err) != c.status || !s.Whole || s.Stamp == nil || s.Stamp.Known != (c.status == 0) || !s.Stamp.Time.Equal(d.Now) || s.Stamp.Within != 1 {
				t.Errorf("%s: %+v, %v", name, s.Stamp, err)
			}
		}
	}
}

// TestStampRefused: a time stamp that proves nothing ends the verification, and says why and what to do.
func TestStampRefused(t *testing.T) {
	d := newDesk(t, december)
	file, _, err := d.get("en")
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(good)
	flipped[len(flipped)-5] ^= 1
	early := newDesk(t, december.AddDate(0, -1, 0)) // whose clock is three weeks behind the witness's
	before, _, err := early.get("en")
	if err != nil {
		t.Fatal(err)
	}
	late := newDesk(t, december)
	late.Now = december.AddDate(2, 0, 0)
	expired := late.write("expired.tsr", late.Answer(questionOf(t, sampleFile("whole.zip"))))
	root := d.write("root.pem", stamptest.PEM(d.Root))
	for name, c := range map[string]struct {
		file   string
		sample string
		certs  []string
		zh, en string
	}{
		"of another file":  {file, "sample.zip", []string{root}, "别的文件的时间戳", "it is over another file"},
		"a byte changed":   {d.write("flipped.tsr", flipped), "whole.zip", []string{root}, "内容被改过", "it was changed"},
		"a text":           {d.write("text.tsr", []byte("hello")), "whole.zip", []string{root}, "里面没有时间戳", "no answer of a time-stamping authority"},
		"before":           {before, "whole.zip", []string{early.write("root.pem", stamptest.PEM(early.Root))}, "两边的时钟有一个不准", "one of the two clocks is wrong"},
		"expired":          {expired, "whole.zip", []string{late.write("root.pem", stamptest.PEM(late.Root))}, "已经过期", "not any more"},
		"no certificate":   {file, "whole.zip", []string{d.write("no.pem", good)}, "没有能读的证书", "no certificate that can be read"},
		"a key":            {file, "whole.zip", []string{d.write("key.pem", []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"))}, "没有能读的证书", "no certificate that can be read"},
		"certificate only": {"", "whole.zip", []string{root}, "要和 --stamp 一起用", "which --stamp names"},
	} {
		for lang, want := range map[string]string{"zh": c.zh, "en": c.en} {
			says, err := called(t, false, Verify{Source{File: sampleFile(c.sample), Root: rootDigits, Lang: lang}, Stamped{Stamp: c.file, TSACert: c.certs}}.Run)
			told(t, name, lang, want, says, err)
		}
	}
}

// told is that a command refuses in a language, with what to do.
func told(t *testing.T, name, lang, want, says string, err error) {
	t.Helper()
	var fail *socket.Error
	if !errors.As(err, &fail) || !strings.Contains(err.Error(), want) || fail.Hint == "" || says != "" {
		t.Errorf("%s, %s: %v, printed %q", name, lang, err, says)
	} else if regexp.MustCompile(`\p{Han}`).MatchString(fail.Hint) != (lang == "zh") {
		t.Errorf("%s, %s: the hint is %q", name, lang, fail.Hint)
	}
}

// questionOf is a question for a time stamp over a file.
func questionOf(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	question, err := timestamp.CreateRequest(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	return question
}

// TestNoStamp: where no time stamp comes, or one to another question, none is written, and the words say what
// to do.
func TestNoStamp(t *testing.T) {
	none := httptest.NewServer(http.NotFoundHandler())
	defer none.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, c := range map[string]struct {
		url    string
		change func(*timestamp.Timestamp)
		zh, en string
	}{
		"no network":         {closed.URL, nil, "没有从 " + closed.URL + " 得到时间戳", "connection refused"},
		"nobody there":       {none.URL, nil, "404", "404 Not Found"},
		"no address":         {"tsa.example", nil, "不是时间戳机构的网址", "is no address"},
		"another nonce":      {"", func(s *timestamp.Timestamp) { s.Nonce = big.NewInt(7) }, "答的是另一个问题", "it answers another question"},
		"over another file":  {"", func(s *timestamp.Timestamp) { s.HashedMessage = make([]byte, 32) }, "别的文件", "over another file"},
		"without its signer": {"", func(s *timestamp.Timestamp) { s.AddTSACertificate = false }, "内容被改过", "signed by another certificate"},
	} {
		d := newDesk(t, december)
		if d.Change = c.change; c.url != "" {
			d.url = c.url
		}
		for lang, want := range map[string]string{"zh": c.zh, "en": c.en} {
			file, says, err := d.get(lang)
			told(t, name, lang, want, says, err)
			if _, err := os.Stat(file); !os.IsNotExist(err) {
				t.Errorf("%s: written all the same", name)
			}
		}
	}
	d := newDesk(t, december)
	d.write("whole.zip.tsr", []byte("mine"))
	_, says, err := d.get("en")
	told(t, "a file that is there", "en", "there", says, err)
	says, err = called(t, false, stampCmd{Source: Source{File: sampleFile("whole.zip"), Lang: "en"}, TSA: closed.URL, Out: filepath.Join(d.path, "none", "x")}.Run)
	told(t, "a file that can't be written, before anybody is asked", "en", "can't be written", says, err)
	says, err = called(t, false, stampCmd{Source: Source{File: d.write("text", []byte("hello")), Lang: "en"}, TSA: d.url, Out: filepath.Join(d.path, "x")}.Run)
	told(t, "no evidence", "en", "no evidence file", says, err)
}
