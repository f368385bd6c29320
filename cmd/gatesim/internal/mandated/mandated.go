// Package mandated plays what police and court do: a mandate is signed and answered by a registry, and its evidence
// checked. It refuses a landlord's log that shows any of it.
package mandated

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/evidence"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/unsealing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// Scene is a registry that knows a building, and the landlord's way to that building's log.
type Scene struct {
	Place    wire.Place
	Registry string                       // its id
	Door     string                       // that is asked for
	Keys     func(parts ...string) string // path of a file of the registry
	Front    *api.Client
	Landlord *control.Client
	Until    func(what string, ok func() bool) error
	InStep   func(what string) error // waits until the registry has the gateway's whole log
	Say      func(who, format string, args ...any)
}

// Play: an approver signs a mandate for a flat, the registry answers it, and whoever has the file checks it.
// The landlord sees nothing of it.
func (s *Scene) Play(ctx context.Context, lives wire.ID) error {
	began := time.Now()
	by, err := s.appoint(ctx)
	if err != nil {
		return err
	}
	before, err := s.landlordSees(ctx)
	if err != nil {
		return err
	}
	m, envelope, err := s.mandate(by, lives)
	if err != nil {
		return err
	}
	file, err := s.answer(ctx, m, envelope)
	if err != nil {
		return err
	}
	report, err := s.verified(ctx, file)
	if err != nil {
		return err
	}
	again, err := s.Front.Mandated().Disclose(ctx, api.Asked{Mandate: envelope, Gateway: s.Place.Gateway})
	if err != nil || again.Refusal == nil {
		return fmt.Errorf("a mandate for one answer got a second one: %w", err)
	}
	after, err := s.landlordSees(ctx)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) {
		return fmt.Errorf("the landlord's log had %d lines before somebody asked and has %d", lines(before), lines(after))
	}
	c := report.Manifest.Counts
	s.Say("police", "a mandate for flat 1A is signed, and answered once by the registry %v later: of %s %d say who it was, %d are withheld",
		time.Since(began).Round(10*time.Millisecond), amount.Of(int(c.Entries), "entry"), c.Named, c.Withheld)
	s.Say("court", "the file is proved by gateway and witness, for this program and for a stock verifier of checkpoints; with one byte of the checkpoint changed both refuse it, and ours with one of an entry")
	s.Say("landlord", "the log has %s before the police asked and %d after; added: nothing", amount.Of(lines(before), "line"), lines(after))
	return nil
}

func lines(log []byte) int { return bytes.Count(log, []byte("\n")) }

// appoint has the root name an approver of the town, and waits until the gateway knows.
func (s *Scene) appoint(ctx context.Context) (ed25519.PrivateKey, error) {
	public, by, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	root, err := keys.LoadPrivateKey(s.Keys(authority.DirOffline, authority.FileRootKey))
	if err != nil {
		return nil, err
	}
	trust, err := s.trust(ctx, root.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	trust.Version++
	trust.Approvers = []approver.Approver{{Seat: "seat-1", Public: [32]byte(public), District: s.Place.District, Town: s.Place.Town}}
	envelope, err := authority.SignTrust(trust, root)
	if err == nil {
		_, err = s.Front.PutTrust(ctx, envelope)
	}
	if err != nil {
		return nil, err
	}
	if err := s.Until("the gateway has the trust document with the approver", func() bool {
		taken := false
		_, err := s.Front.Entries(ctx, api.EntryFilter{Kind: wire.KindAuthority.String(), Limit: 100}, func(e api.Entry) error {
			taken = taken || e.Count == trust.Version
			return nil
		})
		return err == nil && taken
	}); err != nil {
		return nil, err
	}
	return by, s.InStep("the registry has all that the gateway recorded")
}

// trust is the registry's newest trust document.
func (s *Scene) trust(ctx context.Context, root ed25519.PublicKey) (newest wire.Trust, err error) {
	all, err := s.Front.Trusts(ctx)
	for _, envelope := range all {
		payload, p, openErr := wire.Open(envelope, wire.Expect{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: s.Registry, Newest: wire.Formats},
			[]wire.Key{{Role: wire.RoleRoot, Public: root}})
		if openErr != nil {
			return newest, openErr
		}
		t, decodeErr := wire.DecodeTrust(p.Version, payload)
		if err = errors.Join(err, decodeErr); t.Version > newest.Version {
			newest = t
		}
	}
	return newest, err
}

// landlordSees is the whole log as the landlord's tool gets it.
func (s *Scene) landlordSees(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	err := s.Landlord.Log(ctx, control.LogQuery{Last: -1}, func(e control.LogEntry) error { return json.NewEncoder(&out).Encode(e) })
	if err == nil && out.Len() == 0 {
		err = errors.New("the landlord's log has no line: it can't show that nothing was added")
	}
	return out.Bytes(), err
}

// mandate asks for the passages of flat 1A at the front door, until now.
func (s *Scene) mandate(by ed25519.PrivateKey, lives wire.ID) (mandates.Mandate, []byte, error) {
	_, recipient, err := sealing.GenerateKey()
	if err != nil {
		return mandates.Mandate{}, nil, err
	}
	now := uint32(time.Now().Unix())
	m := mandates.Mandate{Reference: wire.ID{1}, Status: mandates.Active, Issued: now, Expires: now + 86400, Answers: 1,
		Request: mandates.Request{District: s.Place.District, Town: s.Place.Town, Building: s.Place.Building, Tenancies: []wire.ID{lives}, From: now - 3600, Until: now,
			Gateways: []mandates.Gateway{{ID: s.Place.Gateway, Doors: []string{s.Door}}}},
		Delivery: mandates.Delivery{Recipient: recipient, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "某派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "某分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{1}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{2}}},
			Purpose:  "盗窃案侦查", Case: "A440000-1", Notice: "调证-1"}}
	envelope, err := mandates.Sign(m, s.Registry, by)
	return m, envelope, err
}

// answer has the front answer the mandate, and opens it as the holder of the records key does.
func (s *Scene) answer(ctx context.Context, m mandates.Mandate, envelope []byte) ([]byte, error) {
	records, err := keys.LoadSealKey(s.Keys(authority.DirOffline, authority.FileRecords))
	if err != nil {
		return nil, err
	}
	var d api.Disclosed
	err = s.Until("the log is cosigned, and the mandate answered", func() bool {
		d, err = s.Front.Mandated().Disclose(ctx, api.Asked{Mandate: envelope, Gateway: s.Place.Gateway})
		return err != nil || d.Refusal != nil || len(d.Logs) > 0
	})
	if err != nil || d.Refusal != nil || len(d.Logs) != 1 {
		return nil, fmt.Errorf("the mandate was answered with %d logs, refused: %v, %w", len(d.Logs), d.Refusal, err)
	}
	var batches []api.SealedBatch
	if err := s.Front.Mandated().Batches(ctx, d, d.Logs[0].Epoch, func(b api.SealedBatch) error {
		batches = append(batches, b)
		return nil
	}); err != nil {
		return nil, err
	}
	witness, err := keys.LoadPrivateKey(s.Keys(authority.DirFront, api.FileWitnessKey))
	if err != nil {
		return nil, err
	}
	o, err := unsealing.Answer{Disclosed: d, Log: d.Logs[0], Mandate: m, Envelope: envelope, Records: [][]byte{records}, Zone: "Asia/Shanghai", Software: "gatesim"}.Open(batches, witness)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	err = evidence.Write(&file, o.Content)
	return file.Bytes(), err
}

// verified checks the file as its recipient does, with the root's key alone; its checkpoint as anybody does
// with a stock verifier and the keys that the registry tells; and that neither takes a copy with a changed byte.
func (s *Scene) verified(ctx context.Context, file []byte) (evidence.Report, error) {
	root, err := keys.LoadRoot(s.Keys(authority.DirFront, api.FileRoot))
	if err != nil {
		return evidence.Report{}, err
	}
	report, err := evidence.Verify(file, evidence.Trust{Root: root})
	if err != nil || !report.Whole() || report.Manifest.Counts.Named == 0 {
		return report, fmt.Errorf("the evidence is not whole (%+v): %w", report.Manifest.Counts, err)
	}
	checkpoint, err := member(file, "checkpoint")
	if err != nil {
		return report, err
	}
	hash := len(bytes.Join(bytes.SplitAfterN(checkpoint, []byte("\n"), 3)[:2], nil)) // begins the third line
	for _, at := range []int{len(file) / 2, bytes.Index(file, checkpoint) + hash} {
		if _, err := evidence.Verify(flipped(file, at), evidence.Trust{Root: root}); err == nil {
			return report, fmt.Errorf("a file with byte %d changed was taken for evidence", at)
		}
	}
	stock, err := s.stock(ctx)
	if err != nil {
		return report, err
	}
	n, err := note.Open(checkpoint, stock)
	if err != nil || len(n.Sigs) != 2 {
		return report, fmt.Errorf("a stock verifier wants two signatures that it knows: %+v, %w", n, err)
	}
	if _, err := note.Open(flipped(checkpoint, hash), stock); err == nil {
		return report, errors.New("a stock verifier took a changed checkpoint")
	}
	return report, nil
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// member opens the file as any zip.
func member(file []byte, name string) ([]byte, error) {
	all, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(all, name)
}

// stock is what everybody verifies checkpoints with, of the building's logs and their witnesses.
func (s *Scene) stock(ctx context.Context) (note.Verifiers, error) {
	told, err := s.Front.VKeys(ctx, s.Place.Building)
	if err != nil {
		return nil, err
	}
	var verifiers []note.Verifier
	for _, key := range told.Witnesses {
		v, err := formats.NewVerifierForCosignatureV1(key)
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, v)
	}
	for _, key := range told.Logs {
		v, err := note.NewVerifier(key)
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, v)
	}
	return note.VerifierList(verifiers...), nil
}
