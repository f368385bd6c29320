package enrolled

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/internal/amount"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// audit compares doors, log and registry.
func (s *Second) audit() error {
	if err := s.Day.Audit(); err != nil {
		return err
	}
	greeted := func() bool {
		g, err := s.gateway()
		return err == nil && g.Wall != nil
	}
	// The front was killed, and cosigns nothing before a hello.
	if err := errors.Join(s.registryUntil("the front that runs now has heard a hello", greeted), s.inStep("the registry has the whole log")); err != nil {
		return err
	}
	var central, log []ledger.Entry
	_, err := s.Centre.front.Entries(s.Day.Ctx, api.EntryFilter{Building: Building, Limit: 1_000_000}, func(e api.Entry) error {
		central = append(central, ledger.AsLogged(e))
		return nil
	})
	if err != nil {
		return err
	}
	err = s.Day.Files.Entries(func(e ledger.Entry) error {
		log = append(log, e)
		return nil
	})
	if err != nil {
		return err
	}
	lost, doubled, differ := ledger.CompareCopy(log, central)
	s.Day.Story.Print("the registry's copy: lost %d, doubled %d, different %d, of %s\n", lost, doubled, differ, amount.Of(len(log), "entry"))
	if lost+doubled+differ > 0 {
		return errors.New("the registry's copy is not the gateway's log")
	}
	return s.bothSigned(uint64(len(log)))
}

// bothSigned looks for the checkpoint that gateway and registry have signed over the whole log. The
// daemon is stopped in order, since it keeps a checkpoint for a while before it writes it.
func (s *Second) bothSigned(entries uint64) error {
	r, err := s.Day.Files.Verify()
	if err != nil {
		return err
	}
	if err := s.Day.Stop(); err != nil {
		return err
	}
	size, root, err := s.checkpoint()
	if err != nil {
		return err
	}
	if size < entries {
		return fmt.Errorf("both signed %d of %s", size, amount.Of(entries, "entry"))
	}
	s.Day.Story.Print("root that the gateway and the registry's witness both signed:    %s\n", root)
	if root != r.Root.String() {
		return errors.New("what both signed is another root")
	}
	return nil
}

// checkpoint reads the newest checkpoint that both ends signed, and verifies
// both signatures.
func (s *Second) checkpoint() (size uint64, root string, err error) {
	text, err := hints.Cosigned(filepath.Join(s.Day.House.Dir, "state", "journal"))
	if err != nil {
		return 0, "", err
	}
	log, reg, err := s.signers()
	if err != nil {
		return 0, "", err
	}
	c, _, err := checkpoint.ParseNote(text, reg.Place.Address(), checkpoint.WitnessName(reg.Name), reg.Trust.Keyset(wire.RoleWitness))
	if err != nil {
		return 0, "", err
	}
	v, err := note.NewVerifier(checkpoint.LogVKey(c.Origin(), log))
	if err != nil {
		return 0, "", err
	}
	if _, err := note.Open([]byte(text), note.VerifierList(v)); err != nil {
		return 0, "", err
	}
	return c.Size, base64.StdEncoding.EncodeToString(c.Root[:]), nil
}

// signers are the keys whose signatures the checkpoint must bear: the gateway's
// and those of the registry's witnesses.
func (s *Second) signers() (ed25519.PublicKey, *keys.Registry, error) {
	keyset := filepath.Join(s.Day.House.Dir, "state", "keys")
	own, err := keys.LoadPrivateKey(filepath.Join(keyset, keys.GatewayKeyFile))
	if err != nil {
		return nil, nil, err
	}
	reg, err := keys.LoadRegistry(keyset)
	if err != nil {
		return nil, nil, err
	}
	return own.Public().(ed25519.PublicKey), reg, nil
}
