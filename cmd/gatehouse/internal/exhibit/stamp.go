package exhibit

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/evidence/stamp"
	"gatehouse/internal/socket"
)

type stampCmd struct {
	Source
	TSA string `name:"tsa" required:"" help:"Address of a time-stamping authority (RFC 3161), which gets the file's SHA-256 and nothing else of it." placeholder:"URL"`
	Out string `required:"" help:"New file for the authority's answer; keep it beside the evidence file." placeholder:"FILE"`
}

// stampedFile is the answer of `evidence stamp`.
type stampedFile struct {
	File   string    `json:"file"`
	SHA256 string    `json:"sha256"` // of the evidence file
	Time   time.Time `json:"time"`
	Name   string    `json:"authority"`
}

// Run gets a time stamp over an evidence file. Whether its authority is to be believed is for verify.
func (s stampCmd) Run(c *Caller) error {
	o, err := s.open(c)
	if err != nil {
		return err
	}
	if at, err := url.Parse(s.TSA); err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return socket.Hinted(o.say("do_tsa_url"), "%s", o.say("tsa_url", s.TSA))
	}
	if err := writable(s.Out, o.say); err != nil {
		return err
	}
	answer, got, err := stamp.Ask(c.Ctx, o.SHA256, s.post)
	if err != nil {
		return socket.Hinted(o.say("do_tsa"), "%s", o.say("tsa_failed", s.TSA, o.why(err)))
	}
	if err := writeNew(s.Out, answer); err != nil {
		return err
	}
	done := stampedFile{s.Out, fmt.Sprintf("%x", o.SHA256), got.Time, got.Name}
	return c.Print(done, nil, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n%s\n", o.say("stamped", s.Out, got.Name, o.local(got.Time)), o.say("stamped_how", s.File, s.Out))
	})
}

// answersWithin bounds the whole exchange with an authority.
const answersWithin = 30 * time.Second

// post sends a question to the authority.
func (s stampCmd) post(ctx context.Context, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.TSA, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/timestamp-query")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, stamp.MaxSize+1))
}

// stampWords are the words for what is wrong with a time stamp.
var stampWords = []struct {
	err  error
	word string
}{{stamp.ErrNoStamp, "stamp_none"}, {stamp.ErrSignature, "stamp_signature"}, {stamp.ErrOther, "stamp_other"}, {stamp.ErrPurpose, "stamp_purpose"}, {stamp.ErrExpired, "stamp_expired"}, {stamp.ErrNonce, "stamp_nonce"}}

// why puts into words why there is no stamp that proves anything; what is not of package stamp speaks for itself.
func (o opened) why(err error) string {
	for _, w := range stampWords {
		if errors.Is(err, w.err) {
			return o.say(w.word)
		}
	}
	return err.Error()
}

// Stamped is the time stamp that verify is to judge beside the file.
type Stamped struct {
	Stamp   string   `help:"Time stamp over this very file, as gatehouse evidence stamp got it." placeholder:"FILE"`
	TSACert []string `name:"tsa-cert" help:"Certificates, PEM, of the authorities whose time stamps count, or of who certified them." placeholder:"FILE"`
}

// judge judges the time stamp; nil: there is none.
func (s Stamped) judge(c *Caller, o opened) (*stamp.Stamp, error) {
	if s.Stamp == "" {
		if len(s.TSACert) > 0 {
			return nil, socket.Hinted(o.say("do_lone_cert"), "%s", o.say("lone_cert"))
		}
		return nil, nil
	}
	trusted, err := s.certs(c, o)
	if err != nil {
		return nil, err
	}
	answer, err := command.ReadFile(c.Ctx, s.Stamp, stamp.MaxSize, o.say("do_stamp"))
	if err != nil {
		return nil, err
	}
	got, err := stamp.Judge(answer, o.SHA256, trusted)
	if err != nil {
		return nil, socket.Hinted(o.say("do_stamp"), "%s", o.say("stamp_refused", o.why(err)))
	}
	if got.Known && got.Time.Add(max(got.Accuracy, time.Second)).Before(o.CosignedAt) {
		return nil, socket.Hinted(o.say("do_stamp_before"), "%s", o.say("stamp_before", o.local(got.Time), o.local(o.CosignedAt)))
	}
	return &got, nil
}

// certs reads the certificates that count.
func (s Stamped) certs(c *Caller, o opened) (all []*x509.Certificate, err error) {
	for _, name := range s.TSACert {
		raw, err := command.ReadFile(c.Ctx, name, mostKey, o.say("do_no_cert"))
		if err != nil {
			return nil, err
		}
		before := len(all)
		for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
			one, err := x509.ParseCertificate(block.Bytes)
			if err != nil || block.Type != "CERTIFICATE" {
				return nil, socket.Hinted(o.say("do_no_cert"), "%s", o.say("no_cert", name))
			}
			all = append(all, one)
		}
		if len(all) == before {
			return nil, socket.Hinted(o.say("do_no_cert"), "%s", o.say("no_cert", name))
		}
	}
	return all, nil
}

// stampProved are the sentences that a time stamp adds to what is proved, and to what is not.
func (o opened) stampProved() (proved, not []string) {
	s := o.stamp
	if s == nil {
		return nil, nil
	}
	if !s.Known {
		return nil, []string{o.say("stamp_unknown", s.Name, o.local(s.Time))}
	}
	exact := o.say("stamp_exact", s.Accuracy)
	if s.Accuracy == 0 {
		exact = o.say("stamp_inexact")
	}
	return []string{o.say("stamp_valid", o.local(s.Time), s.Name, exact)}, []string{o.say("stamp_key", o.local(s.Until))}
}
