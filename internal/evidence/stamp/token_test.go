package stamp

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"testing"
)

// TestCheck: a good signature counts only over what says that a time stamp was signed, over which bytes, and by
// which certificate; whether by the older attribute or the newer one.
func TestCheck(t *testing.T) {
	a, other := authority(t), authority(t)
	text := []byte("what is signed")
	sum, own, others := sha256.Sum256(text), sha256.Sum256(a.Cert.Raw), sha256.Sum256(other.Cert.Raw)
	older, long := sha1.Sum(a.Cert.Raw), sha512.Sum512(a.Cert.Raw)
	oldest := sha1.Sum(other.Cert.Raw)
	type named struct {
		Algorithm pkix.AlgorithmIdentifier `asn1:"optional"`
		Hash      []byte
	}
	type list struct{ Certs []named }
	type said struct {
		oid asn1.ObjectIdentifier
		v   any
	}
	type attributes map[string]said
	for name, c := range map[string]struct {
		change func(attributes)
		want   error
	}{
		"good":                 {func(attributes) {}, nil},
		"by SHA-1 of RFC 2634": {func(m attributes) { m["by"] = said{oidSignerV1, list{[]named{{Hash: older[:]}}}} }, nil},
		"by SHA-512": {func(m attributes) {
			m["by"] = said{oidSignerV2, list{[]named{{pkix.AlgorithmIdentifier{Algorithm: oidSHA512}, long[:]}}}}
		}, nil},
		"another kind of thing": {func(m attributes) {
			m["kind"] = said{oidContentType, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}}
		}, ErrSignature},
		"no kind":               {func(m attributes) { delete(m, "kind") }, ErrSignature},
		"other bytes":           {func(m attributes) { m["sum"] = said{oidMessageDigest, others[:]} }, ErrSignature},
		"no bytes":              {func(m attributes) { delete(m, "sum") }, ErrSignature},
		"another certificate":   {func(m attributes) { m["by"] = said{oidSignerV2, list{[]named{{Hash: others[:]}}}} }, ErrSignature},
		"another one, by SHA-1": {func(m attributes) { m["by"] = said{oidSignerV1, list{[]named{{Hash: oldest[:]}}}} }, ErrSignature},
		"none":                  {func(m attributes) { delete(m, "by") }, ErrSignature},
		"by a hash that is broken": {func(m attributes) {
			m["by"] = said{oidSignerV2, list{[]named{{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}}, older[:]}}}}
		}, ErrSignature},
	} {
		m := attributes{"kind": {oidContentType, oidTokenInfo}, "sum": {oidMessageDigest, sum[:]}, "by": {oidSignerV2, list{[]named{{Hash: own[:]}}}}}
		c.change(m)
		var set []attribute
		for _, one := range m {
			value, err := asn1.Marshal(one.v)
			if err != nil {
				t.Fatal(err)
			}
			set = append(set, attribute{one.oid, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: value}})
		}
		signed, err := asn1.MarshalWithParams(set, "set")
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256(signed)
		signature, err := a.Key.Sign(rand.Reader, hash[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		s := signerInfo{Digest: pkix.AlgorithmIdentifier{Algorithm: oidSHA256}, Attributes: asn1.RawValue{FullBytes: append([]byte{0xa0}, signed[1:]...)}, Signature: signature}
		if err := s.check(a.Cert, text); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if s.check(other.Cert, text) == nil {
			t.Errorf("%s: another certificate counts", name)
		}
		s.Digest.Algorithm = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26} // SHA-1
		if err := s.check(a.Cert, text); !errors.Is(err, ErrNoStamp) {
			t.Errorf("%s: by SHA-1: %v", name, err)
		}
	}
}
