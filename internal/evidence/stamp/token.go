package stamp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1" // of RFC 5035's older attribute, which names the certificate by it; the signature covers both
	"crypto/sha256"
	_ "crypto/sha512" // of some authorities' signatures
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// What is sent and what comes back (RFC 3161, section 2.4), as far as it is used.

type request struct {
	Version int
	Imprint imprint
	Nonce   *big.Int
	Certs   bool // the authority is to add its certificates
}

type imprint struct {
	Algorithm pkix.AlgorithmIdentifier
	Sum       []byte
}

func imprintOf(sum [sha256.Size]byte) imprint {
	return imprint{pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, sum[:]}
}

type response struct {
	Status struct {
		Status  int
		Text    []asn1.RawValue `asn1:"optional"`
		Failure asn1.BitString  `asn1:"optional"`
	}
	Token asn1.RawValue `asn1:"optional"`
}

type tokenInfo struct {
	Version    int
	Policy     asn1.ObjectIdentifier
	Imprint    imprint
	Serial     *big.Int
	Time       time.Time        `asn1:"generalized"`
	Accuracy   accuracy         `asn1:"optional"`
	Ordering   bool             `asn1:"optional"`
	Nonce      *big.Int         `asn1:"optional"`
	Authority  asn1.RawValue    `asn1:"optional,tag:0"`
	Extensions []pkix.Extension `asn1:"optional,tag:1"`
}

type accuracy struct {
	Seconds int `asn1:"optional"`
	Millis  int `asn1:"optional,tag:0"`
	Micros  int `asn1:"optional,tag:1"`
}

func (a accuracy) duration() time.Duration {
	return time.Duration(a.Seconds)*time.Second + time.Duration(a.Millis)*time.Millisecond + time.Duration(a.Micros)*time.Microsecond
}

// signedData is what a token is wrapped in (RFC 5652, section 5).
type signedData struct {
	Version      int
	Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      content
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	Revoked      asn1.RawValue `asn1:"optional,tag:1"`
	Signers      []signerInfo  `asn1:"set"`
}

type content struct {
	Type  asn1.ObjectIdentifier
	Bytes []byte `asn1:"explicit,optional,tag:0"`
}

type signerInfo struct {
	Version    int
	Issuer     issuerAndSerial
	Digest     pkix.AlgorithmIdentifier
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
	Algorithm  pkix.AlgorithmIdentifier
	Signature  []byte
	Unsigned   asn1.RawValue `asn1:"optional,tag:1"`
}

type issuerAndSerial struct {
	Name   asn1.RawValue
	Serial *big.Int
}

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTokenInfo     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSignerV1      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSignerV2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	oidPSS           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
)

// whole reads all of b.
func whole(b []byte, v any, params string) error {
	rest, err := asn1.UnmarshalWithParams(b, v, params)
	if err == nil && len(rest) > 0 {
		err = asn1.SyntaxError{Msg: "bytes behind it"}
	}
	return err
}

// readAnswer finds the signed data in an answer.
func readAnswer(answer []byte) (d signedData, err error) {
	var r response
	if len(answer) > MaxSize || whole(answer, &r, "") != nil {
		return d, ErrNoStamp
	}
	if r.Status.Status > 1 { // 0: granted, 1: with changes, which show
		return d, fmt.Errorf("%w: the authority refuses, status %d: %q", ErrNoStamp, r.Status.Status, r.text())
	}
	var outer struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	if whole(r.Token.FullBytes, &outer, "") != nil || !outer.Type.Equal(oidSignedData) || whole(outer.Content.Bytes, &d, "") != nil ||
		!d.Content.Type.Equal(oidTokenInfo) || len(d.Signers) != 1 {
		return d, ErrNoStamp
	}
	return d, nil
}

// text is why an authority refuses, in its words.
func (r response) text() string {
	var all []string
	for _, line := range r.Status.Text {
		all = append(all, string(line.Bytes))
	}
	return strings.Join(all, "; ")
}

// find returns the certificate that a signer names, nil where it is not there.
func (s signerInfo) find(all []*x509.Certificate) *x509.Certificate {
	for _, c := range all {
		if bytes.Equal(c.RawIssuer, s.Issuer.Name.FullBytes) && s.Issuer.Serial != nil && c.SerialNumber.Cmp(s.Issuer.Serial) == 0 {
			return c
		}
	}
	return nil
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values asn1.RawValue `asn1:"set"`
}

// check checks the signature of a certificate over a content. It has to cover what kind of thing that is and
// which certificate it is by: else it could be of another document, or by another certificate of the same key.
func (s signerInfo) check(c *x509.Certificate, content []byte) error {
	hash := hashOf(s.Digest.Algorithm)
	if hash == 0 || len(s.Attributes.FullBytes) == 0 {
		return ErrNoStamp
	}
	set := append([]byte{0x31}, s.Attributes.FullBytes[1:]...) // signed as a SET, whatever tag it has here
	var all []attribute
	if whole(set, &all, "set") != nil {
		return ErrNoStamp
	}
	var kind asn1.ObjectIdentifier
	var sum []byte
	if get(all, oidContentType, &kind) != nil || !kind.Equal(oidTokenInfo) ||
		get(all, oidMessageDigest, &sum) != nil || !bytes.Equal(sum, digest(hash, content)) || !names(all, c) {
		return ErrSignature
	}
	algorithm := algorithmOf(c, hash, s.Algorithm.Algorithm.Equal(oidPSS))
	if algorithm == x509.UnknownSignatureAlgorithm {
		return ErrNoStamp
	}
	if c.CheckSignature(algorithm, set, s.Signature) != nil {
		return ErrSignature
	}
	return nil
}

// get reads the one value of an attribute.
func get(all []attribute, oid asn1.ObjectIdentifier, v any) error {
	for _, a := range all {
		if a.Type.Equal(oid) {
			return whole(a.Values.Bytes, v, "")
		}
	}
	return asn1.StructuralError{Msg: "no such attribute"}
}

// names reports whether the attributes name a certificate by its hash (RFC 5035).
func names(all []attribute, c *x509.Certificate) bool {
	var v2 struct {
		Certs []struct {
			Algorithm pkix.AlgorithmIdentifier `asn1:"optional"` // none: SHA-256
			Hash      []byte
			Issuer    asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	if get(all, oidSignerV2, &v2) == nil && len(v2.Certs) > 0 {
		first := v2.Certs[0]
		hash := crypto.SHA256
		if len(first.Algorithm.Algorithm) > 0 {
			hash = hashOf(first.Algorithm.Algorithm)
		}
		return hash != 0 && bytes.Equal(first.Hash, digest(hash, c.Raw))
	}
	var v1 struct {
		Certs []struct {
			Hash   []byte
			Issuer asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	sum := sha1.Sum(c.Raw)
	return get(all, oidSignerV1, &v1) == nil && len(v1.Certs) > 0 && bytes.Equal(v1.Certs[0].Hash, sum[:])
}

// hashOf is the hash of that number; 0: one that is not known, or not good enough.
func hashOf(oid asn1.ObjectIdentifier) crypto.Hash {
	switch {
	case oid.Equal(oidSHA256):
		return crypto.SHA256
	case oid.Equal(oidSHA384):
		return crypto.SHA384
	case oid.Equal(oidSHA512):
		return crypto.SHA512
	}
	return 0
}

func digest(by crypto.Hash, b []byte) []byte {
	h := by.New()
	h.Write(b)
	return h.Sum(nil)
}

// algorithmOf is how a certificate's key signs with a hash.
func algorithmOf(c *x509.Certificate, hash crypto.Hash, pss bool) x509.SignatureAlgorithm {
	at := map[crypto.Hash]int{crypto.SHA256: 0, crypto.SHA384: 1, crypto.SHA512: 2}[hash]
	switch c.PublicKey.(type) {
	case *rsa.PublicKey:
		if pss {
			return [...]x509.SignatureAlgorithm{x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS}[at]
		}
		return [...]x509.SignatureAlgorithm{x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA}[at]
	case *ecdsa.PublicKey:
		return [...]x509.SignatureAlgorithm{x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512}[at]
	case ed25519.PublicKey:
		return x509.PureEd25519
	}
	return x509.UnknownSignatureAlgorithm
}
