// Package stamp has RFC 3161 time stamps over a file: a time-stamping authority, which whoever got the file
// has chosen, signs that the file existed before a time. The stamp lies beside the file, over its SHA-256.
//
// It refuses to believe an authority that the reader has not named, however good its signature is: that is
// unknown, never valid. It opens no network: Ask takes the function that does. Its functions are safe for
// concurrent use.
package stamp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Stamp is what a token says, and how far it is believed.
type Stamp struct {
	Time     time.Time     // of the authority's clock; the file existed before it
	Accuracy time.Duration // by which that can be off, as the authority says; 0: it does not
	Name     string        // subject of the authority's certificate
	Until    time.Time     // the end of that certificate
	// Known: the authority is one that the reader has named, and its certificate was valid at Time. Else
	// nobody vouches for what the token says.
	Known bool
}

// MaxSize is the most bytes of an answer.
const MaxSize = 256 << 10

// Errors of what proves nothing. Whoever shows them has words of his own.
var (
	ErrNoStamp   = errors.New("no answer of a time-stamping authority with a token, or one by an algorithm that is not known here")
	ErrSignature = errors.New("the token was changed, or is signed by another certificate than it names")
	ErrOther     = errors.New("the token is over another file")
	ErrPurpose   = errors.New("the certificate that signed is not one for time stamps alone")
	ErrExpired   = errors.New("the certificate of the authority was not valid at the time of the token")
	ErrNonce     = errors.New("the answer is to another question")
)

// Ask asks an authority for a token over a file's SHA-256, by post, which sends the question and returns the
// answer. It returns the answer once it is seen to be one to this question; whom it is from is for Judge.
func Ask(ctx context.Context, sum [sha256.Size]byte, post func(context.Context, []byte) ([]byte, error)) (answer []byte, s Stamp, err error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, s, fmt.Errorf("ask for a time stamp: %w", err)
	}
	question, err := asn1.Marshal(request{1, imprintOf(sum), nonce, true})
	if err != nil {
		return nil, s, fmt.Errorf("ask for a time stamp: %w", err)
	}
	if answer, err = post(ctx, question); err != nil {
		return nil, s, err
	}
	t, err := open(answer, sum)
	if err == nil && (t.info.Nonce == nil || t.info.Nonce.Cmp(nonce) != 0) {
		err = ErrNonce
	}
	if err != nil {
		return nil, s, err
	}
	return answer, t.stamp(), nil
}

// Judge judges the answer of an authority over a file's SHA-256. The authority is known if its certificate is
// one of the trusted, or leads to one by the certificates in the answer, at the time of the token.
func Judge(answer []byte, sum [sha256.Size]byte, trusted []*x509.Certificate) (Stamp, error) {
	t, err := open(answer, sum)
	if err != nil {
		return Stamp{}, err
	}
	s := t.stamp()
	_, err = t.signer.Verify(x509.VerifyOptions{Roots: poolOf(trusted), Intermediates: poolOf(t.others), CurrentTime: s.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return Stamp{}, ErrExpired
	}
	s.Known = err == nil
	return s, nil
}

func poolOf(all []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c)
	}
	return pool
}

// token is one whose signature is good by the certificate that it names.
type token struct {
	info   tokenInfo
	signer *x509.Certificate
	others []*x509.Certificate // that came with it
}

func (t token) stamp() Stamp {
	return Stamp{Time: t.info.Time, Accuracy: t.info.Accuracy.duration(), Name: t.signer.Subject.String(), Until: t.signer.NotAfter}
}

// open reads an answer and checks all but whether its authority is to be believed.
func open(answer []byte, sum [sha256.Size]byte) (t token, err error) {
	d, err := readAnswer(answer)
	if err != nil {
		return t, err
	}
	if t.others, err = x509.ParseCertificates(d.Certificates.Bytes); err != nil {
		return t, fmt.Errorf("%w: %w", ErrNoStamp, err)
	}
	if t.signer = d.Signers[0].find(t.others); t.signer == nil {
		return t, ErrSignature
	}
	if err := d.Signers[0].check(t.signer, d.Content.Bytes); err != nil {
		return t, err
	}
	if err := whole(d.Content.Bytes, &t.info, ""); err != nil {
		return t, ErrNoStamp
	}
	return t, t.check(imprintOf(sum))
}

// check checks what a token says.
func (t token) check(want imprint) error {
	for _, e := range t.info.Extensions {
		if e.Critical { // says something that has to be understood
			return ErrNoStamp
		}
	}
	switch {
	case t.info.Version != 1:
		return ErrNoStamp
	case !t.info.Imprint.Algorithm.Algorithm.Equal(want.Algorithm.Algorithm) || !bytes.Equal(t.info.Imprint.Sum, want.Sum):
		return ErrOther
	case len(t.signer.ExtKeyUsage) != 1 || t.signer.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(t.signer.UnknownExtKeyUsage) > 0:
		return ErrPurpose
	case t.info.Time.Before(t.signer.NotBefore) || t.info.Time.After(t.signer.NotAfter):
		return ErrExpired
	}
	return nil
}
