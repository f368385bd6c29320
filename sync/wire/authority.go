package wire

import (
	"cmp"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/periods"
	"gatehouse/sync/wire/typed"
)

// Trust is the root's document that names whose signatures count, and to whom things are sealed. A
// gateway pins the root, and takes no version older than it has.
type Trust struct {
	Version  uint64    `cbor:"1,keyasint"` // from 1, rising
	Issued   uint32    `cbor:"2,keyasint"` // unix s
	Registry string    `cbor:"3,keyasint"` // its id
	Keys     []RoleKey `cbor:"4,keyasint"` // none of the root's
	Records  []byte    `cbor:"5,keyasint"` // HPKE public key: who parts and persons
	Desk     []byte    `cbor:"6,keyasint"` // HPKE public key: changes of tenancies
	Escrow   []byte    `cbor:"7,keyasint"` // HPKE public key: building keys, offline
	CAs      [][]byte  `cbor:"8,keyasint"` // certificates (DER) that the broker's and the gateways' are checked by
	// False lists role epochs whose keys said what is not so: whatever they alone vouched for is
	// void. False and Addresses are of format 2, Approvers of format 4, Retention of format 5; a document without is of format 1.
	False     []RoleEpoch         `cbor:"9,keyasint,omitempty"`
	Addresses []string            `cbor:"10,keyasint,omitempty"` // more of the registry's: https://host:port of enrolment, mqtts://host:port of the broker
	Approvers []approver.Approver `cbor:"11,keyasint,omitempty"` // by seat, ascending: who signs mandates
	Retention *periods.Periods    `cbor:"12,keyasint,omitempty"` // for how long who parts stay at most; nil: nothing is said
}

// RoleEpoch names the keys of a role that were certified under one number.
type RoleEpoch struct {
	_     struct{} `cbor:",toarray"`
	Role  Role
	Epoch uint64
}

// IsFalse reports whether the root has taken back the statements of that epoch's keys.
func (t Trust) IsFalse(role Role, epoch uint64) bool {
	return slices.ContainsFunc(t.False, func(f RoleEpoch) bool { return f.Role == role && f.Epoch == epoch })
}

// DecodeTrust reads the payload of a trust document by the version of its
// envelope.
func DecodeTrust(version uint64, payload []byte) (t Trust, err error) {
	if err := Decode(payload, &t); err != nil {
		return Trust{}, err
	}
	if VersionOf(t) > version {
		return Trust{}, fmt.Errorf("%w: trust of format %d in an envelope of version %d", ErrMalformed, VersionOf(t), version)
	}
	return t, nil
}

// RoleKey is a certified key.
type RoleKey struct {
	_      struct{} `cbor:",toarray"`
	Role   Role
	Epoch  uint64
	Public [ed25519.PublicKeySize]byte
}

// Keyset returns the keys certified for a role.
func (t Trust) Keyset(role Role) (keys []Key) {
	for _, k := range t.Keys {
		if k.Role == role {
			keys = append(keys, Key{Role: k.Role, Epoch: k.Epoch, Public: slices.Clone(k.Public[:])})
		}
	}
	return keys
}

// House is the issuer's document about a building.
type House struct {
	Version    uint64         `cbor:"1,keyasint"` // from 1, rising
	Issued     uint32         `cbor:"2,keyasint"` // unix s
	District   string         `cbor:"3,keyasint"`
	Town       string         `cbor:"4,keyasint"`
	Gateways   []HouseGateway `cbor:"5,keyasint"` // by id, ascending
	Flats      []string       `cbor:"6,keyasint"` // that a check-in may name; empty: any
	NoticeDays uint8          `cbor:"7,keyasint"` // of a check-out by the landlord alone
	// Earlier are the payload hashes of the documents before this one, newest first, for gateways
	// that read format 2. Absent: it proves nothing.
	Earlier []Hash `cbor:"8,keyasint,omitempty"`
}

// MaxEarlier is how many documents before it a House may name.
const MaxEarlier = 64

// HouseGateway is one gateway of a building.
type HouseGateway struct {
	_      struct{} `cbor:",toarray"`
	ID     string
	Public [ed25519.PublicKeySize]byte
	KEM    []byte   // HPKE public key
	Doors  []string // ascending
}

// Gateway returns the gateway of that id, nil if the building has none.
func (h House) Gateway(id string) *HouseGateway {
	i := slices.IndexFunc(h.Gateways, func(g HouseGateway) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return &h.Gateways[i]
}

// Key returns the gateway's key as Open wants it.
func (g HouseGateway) Key() Key {
	return Key{Role: RoleGateway, Public: slices.Clone(g.Public[:])}
}

// Token lets one gateway enrol once. As text it is "GH2-" and base32 with a check. Whoever has it
// before the gateway does can enrol in its place, so it is handed over in person.
type Token struct {
	Registry string                      `cbor:"1,keyasint"`
	Place    [4]string                   `cbor:"2,keyasint"` // district, town, building, gateway
	Enrol    string                      `cbor:"3,keyasint"` // host:port, HTTPS
	Broker   string                      `cbor:"4,keyasint"` // host:port, MQTT over TLS
	CA       Hash                        `cbor:"5,keyasint"` // SHA-256 of the CA certificate (DER) that both show
	Root     [ed25519.PublicKeySize]byte `cbor:"6,keyasint"`
	Secret   [16]byte                    `cbor:"7,keyasint"`
}

const (
	tokenPrefix    = "GH2-"
	oldTokenPrefix = "GH1-" // of a token without a check
)

// At returns the place that it is for.
func (t Token) At() Place { return Place{t.Place[0], t.Place[1], t.Place[2], t.Place[3]} }

// Text returns it as people carry it.
func (t Token) Text() (string, error) {
	b, err := Encode(t)
	return typed.Encode(tokenPrefix, b), err
}

// OldText returns it without a check, for a gateway whose program knows of none.
func (t Token) OldText() (string, error) {
	b, err := Encode(t)
	return oldTokenPrefix + typed.Letters.EncodeToString(b), err
}

// ParseToken reads a token, of an old registry, too; white space and letter case do not matter.
// Errors never repeat it; of one that is mistyped they are a *typed.Mistake.
func ParseToken(text string) (t Token, err error) {
	text = strings.ToUpper(strings.Join(strings.Fields(text), ""))
	var b []byte
	again := Token.Text
	switch {
	case strings.HasPrefix(text, tokenPrefix):
		b, err = typed.Decode(tokenPrefix, text)
	case strings.HasPrefix(text, oldTokenPrefix):
		again = Token.OldText
		b, err = typed.Letters.DecodeString(text[len(oldTokenPrefix):])
	default:
		return t, fmt.Errorf("token: %w: it is mistyped, or none: it begins with %s", ErrMalformed, tokenPrefix)
	}
	if err == nil {
		err = Decode(b, &t)
	}
	if same, bad := again(t); err != nil || bad != nil || same != text {
		mistake := new(typed.Mistake)
		_ = errors.As(err, &mistake) // another error names no place
		return Token{}, fmt.Errorf("token: %w: %w", ErrMalformed, mistake)
	}
	return t, nil
}

// EnrolRequest asks for a gateway to be enrolled. Its envelope is signed by the key that it names;
// Proof ties it to the token.
type EnrolRequest struct {
	Public   [ed25519.PublicKeySize]byte `cbor:"1,keyasint"`
	KEM      []byte                      `cbor:"2,keyasint"` // HPKE public key
	CSR      []byte                      `cbor:"3,keyasint"` // PKCS #10 (DER), for the client certificate
	Doors    []string                    `cbor:"4,keyasint"` // ascending
	Number   uint8                       `cbor:"5,keyasint"` // of the building key; 0: it has none and waits for a sibling's
	Escrow   []byte                      `cbor:"6,keyasint"` // Seal of the building key to the escrow key; empty with Number 0
	Software string                      `cbor:"7,keyasint"`
	Proof    Hash                        `cbor:"8,keyasint"`
}

// Prove sets Proof: HMAC-SHA256 with the token's secret over the request with a Proof of zeros.
func (r *EnrolRequest) Prove(secret [16]byte) error {
	proof, err := r.proof(secret)
	r.Proof = proof
	return err
}

// Proved reports whether Proof was made with the secret.
func (r EnrolRequest) Proved(secret [16]byte) bool {
	want, err := r.proof(secret)
	return err == nil && hmac.Equal(want[:], r.Proof[:])
}

func (r EnrolRequest) proof(secret [16]byte) (Hash, error) {
	r.Proof = Hash{}
	b, err := Encode(r)
	if err != nil {
		return Hash{}, err
	}
	return authenticate(secret, b), nil
}

func authenticate(secret [16]byte, message []byte) Hash {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write(message)
	return Hash(mac.Sum(nil))
}

// IntroduceProof is HMAC-SHA256 with the token's secret over "introduce " and the gateway's
// address, shown with the request to be introduced.
func IntroduceProof(secret [16]byte, address string) Hash {
	return authenticate(secret, []byte("introduce "+address))
}

// OpenEnrol opens the envelope of an EnrolRequest for an address. The key that the request names
// has signed it, which proves only that the sender has that key; Proved says who may enrol. The
// errors are those of Open and Decode.
func OpenEnrol(envelope []byte, address string) (EnrolRequest, error) {
	var r EnrolRequest
	payload, _, err := Read(envelope)
	if err == nil {
		err = Decode(payload, &r)
	}
	if err != nil {
		return EnrolRequest{}, fmt.Errorf("open enrolment: %w", err)
	}
	key := Key{Role: RoleGateway, Public: slices.Clone(r.Public[:])}
	if _, _, err := Open(envelope, Expect{Type: TypeEnrol, Role: RoleGateway, Address: address}, []Key{key}); err != nil {
		return EnrolRequest{}, err
	}
	return r, nil
}

// RenewRequest asks for the next client certificate.
type RenewRequest struct {
	CSR []byte `cbor:"1,keyasint"` // PKCS #10 (DER)
}

// Enrolled answers EnrolRequest and RenewRequest.
type Enrolled struct {
	Trust        []byte   `cbor:"1,keyasint"` // envelope
	House        []byte   `cbor:"2,keyasint"` // envelope
	Certificates [][]byte `cbor:"3,keyasint"` // DER, the gateway's first
	Time         uint32   `cbor:"4,keyasint"` // unix s
}

// Introduction is what a gateway gets before it sends its EnrolRequest.
type Introduction struct {
	Trust     []byte `cbor:"1,keyasint"` // envelope
	KeyNumber uint8  `cbor:"2,keyasint"` // of the building key that a sibling has; 0: this gateway makes it
}

// LastCA returns the CA of the document that is valid for longest; nil: none can be read.
func (t Trust) LastCA() (last *x509.Certificate) {
	for _, der := range t.CAs {
		if ca, err := x509.ParseCertificate(der); err == nil && (last == nil || ca.NotAfter.After(last.NotAfter)) {
			last = ca
		}
	}
	return last
}

func (t Trust) check() error {
	if t.Version == 0 || t.Issued == 0 || !ValidName(t.Registry, false) || len(t.CAs) == 0 || len(t.CAs) > 8 ||
		slices.ContainsFunc(t.CAs, func(ca []byte) bool { return len(ca) == 0 }) {
		return fmt.Errorf("%w: trust without version, time, registry or CA", ErrMalformed)
	}
	for _, kem := range [][]byte{t.Records, t.Desk, t.Escrow} {
		if len(kem) == 0 || len(kem) > maxKEM {
			return fmt.Errorf("%w: trust without a key to seal to", ErrMalformed)
		}
	}
	return cmp.Or(t.checkKeys(), t.checkFormat2(), approver.Check(t.Approvers), t.Retention.Check())
}

func (t Trust) checkKeys() error {
	if len(t.Keys) == 0 || len(t.Keys) > 64 {
		return fmt.Errorf("%w: trust in %d keys", ErrMalformed, len(t.Keys))
	}
	for _, k := range t.Keys {
		if k.Role != RoleIssuer && k.Role != RoleWitness && k.Role != RoleApprover && k.Role != RoleOffice {
			return fmt.Errorf("%w: the root certifies no key as %q", ErrMalformed, k.Role)
		}
		if t.IsFalse(k.Role, k.Epoch) {
			return fmt.Errorf("%w: a key of an epoch that was taken back", ErrMalformed)
		}
	}
	return nil
}

func (t Trust) checkFormat2() error {
	if len(t.False) > maxFalse || len(t.Addresses) > maxAddresses {
		return fmt.Errorf("%w: %d epochs taken back, %d addresses", ErrMalformed, len(t.False), len(t.Addresses))
	}
	for i, f := range t.False {
		if f.Role != RoleIssuer && f.Role != RoleWitness || slices.Contains(t.False[:i], f) {
			return fmt.Errorf("%w: epoch %d of %q taken back", ErrMalformed, f.Epoch, f.Role)
		}
	}
	for i, a := range t.Addresses {
		if !ValidRegistryURL(a) || slices.Contains(t.Addresses[:i], a) {
			return fmt.Errorf("%w: address %d of the registry", ErrMalformed, i)
		}
	}
	return nil
}

// ValidRegistryURL reports whether a trust document may name a as an address: https://host:port or
// mqtts://host:port.
func ValidRegistryURL(a string) bool {
	host, ok := strings.CutPrefix(a, "https://")
	if !ok {
		host, ok = strings.CutPrefix(a, "mqtts://")
	}
	name, port, err := net.SplitHostPort(host)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return ok && err == nil && portErr == nil && n > 0 && name != "" && len(a) <= 255 && !strings.ContainsAny(name, "/@ ")
}

func (h House) check() error {
	if h.Version == 0 || h.Issued == 0 || !ValidName(h.District, false) || !ValidName(h.Town, false) ||
		len(h.Gateways) > maxGateways || len(h.Flats) > MaxFlats || len(h.Earlier) > MaxEarlier {
		return fmt.Errorf("%w: house without version, time, place or tables", ErrMalformed)
	}
	for i, f := range h.Flats {
		if !ValidText(f) || i > 0 && h.Flats[i-1] >= f {
			return fmt.Errorf("%w: flat %d of the house", ErrMalformed, i)
		}
	}
	return h.checkGateways()
}

func (h House) checkGateways() error {
	for i, g := range h.Gateways {
		if !ValidName(g.ID, false) || len(g.KEM) == 0 || len(g.KEM) > maxKEM || i > 0 && h.Gateways[i-1].ID >= g.ID {
			return fmt.Errorf("%w: gateway %d of the house", ErrMalformed, i)
		}
		if err := checkDoors(g.Doors); err != nil {
			return err
		}
	}
	return nil
}

func (t Token) check() error {
	return cmp.Or(malformedIf(!ValidName(t.Registry, false) || t.Enrol == "" || t.Broker == "" || len(t.Enrol) > 255 || len(t.Broker) > 255,
		"token without registry or hosts"), t.At().Check())
}

func (r EnrolRequest) check() error {
	return cmp.Or(malformedIf(len(r.KEM) == 0 || len(r.KEM) > maxKEM || len(r.CSR) == 0 || len(r.CSR) > maxKEM || len(r.Software) > maxText ||
		len(r.Escrow) > maxKEM || (r.Number == 0) != (len(r.Escrow) == 0) || r.Number == 255, "enrolment without keys"), checkDoors(r.Doors))
}

func (r RenewRequest) check() error {
	return malformedIf(len(r.CSR) == 0 || len(r.CSR) > maxKEM, "no request for a certificate")
}

func (e Enrolled) check() error {
	return malformedIf(len(e.Trust) == 0 || len(e.House) == 0 || len(e.Certificates) == 0 || len(e.Certificates) > 4,
		"enrolled without trust, house or certificate")
}

func (i Introduction) check() error {
	return malformedIf(len(i.Trust) == 0, "introduction without trust")
}
