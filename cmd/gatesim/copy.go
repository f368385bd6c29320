package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gatehouse/internal/amount"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"

	"golang.org/x/mod/sumdb/note"
)

// audit compares doors, log and registry.
func (p *second) audit() error {
	if err := p.play.audit(); err != nil {
		return err
	}
	if err := p.inStep("the registry has the whole log"); err != nil {
		return err
	}
	var central, log []logEntry
	_, err := p.centre.front.Entries(p.ctx, api.EntryFilter{Building: secondBuilding, Limit: 1_000_000}, func(e api.Entry) error {
		central = append(central, asLogged(e))
		return nil
	})
	if err != nil {
		return err
	}
	err = p.entries(func(e logEntry) error {
		log = append(log, e)
		return nil
	})
	if err != nil {
		return err
	}
	lost, doubled, differ := compareCopy(log, central)
	fmt.Fprintf(p.out, "the registry's copy: lost %d, doubled %d, different %d, of %s\n", lost, doubled, differ, amount.Of(len(log), "entry"))
	if lost+doubled+differ > 0 {
		return errors.New("the registry's copy is not the gateway's log")
	}
	return p.bothSigned(uint64(len(log)))
}

// bothSigned waits for the checkpoint that gateway and registry have signed
// over the whole log.
func (p *second) bothSigned(entries uint64) error {
	r, err := p.verifyCopy()
	if err != nil {
		return err
	}
	var size uint64
	var root string
	late := p.registryUntil("both ends sign the whole log", func() bool {
		size, root, err = p.checkpoint()
		return err == nil && size >= entries
	})
	if err := errors.Join(late, err); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "root that the gateway and the registry's witness both signed:    %s\n", root)
	if root != r.Root.String() {
		return errors.New("what both signed is another root")
	}
	return nil
}

// asLogged is an entry of the registry in the words of the gateway's log.
func asLogged(e api.Entry) logEntry {
	return logEntry{Epoch: e.Epoch, Sequence: e.Sequence, Boot: e.Boot, Counter: e.Counter, Kind: e.Kind, Outcome: e.Outcome,
		Reason: e.Reason, Door: e.Door, Source: e.Source, Direction: e.Direction, Count: e.Count}
}

// compareCopy counts what the registry's copy lacks, what it has twice or more
// than the log, and what it tells otherwise.
func compareCopy(log, central []logEntry) (lost, doubled, differ int) {
	type at struct {
		epoch    string
		sequence uint64
	}
	stored := map[at]logEntry{}
	for _, e := range central {
		k := at{e.Epoch, e.Sequence}
		if _, ok := stored[k]; ok {
			doubled++
		}
		stored[k] = e
	}
	for _, e := range log {
		k := at{e.Epoch, e.Sequence}
		c, ok := stored[k]
		delete(stored, k)
		// What the registry's answer leaves out, or writes in another way.
		e.Ref, e.Detail, e.BootTime, e.Time, e.Clock = nil, "", 0, c.Time, c.Clock
		switch {
		case !ok:
			lost++
		case e != c:
			differ++
		}
	}
	return lost, doubled + len(stored), differ // what is left stands in no log
}

// checkpoint reads the newest checkpoint that both ends signed, and verifies
// both signatures.
func (p *second) checkpoint() (size uint64, root string, err error) {
	text, err := os.ReadFile(filepath.Join(p.dir, "state", "journal", "checkpoint"))
	if err != nil {
		return 0, "", err
	}
	log, reg, err := p.signers()
	if err != nil {
		return 0, "", err
	}
	c, _, err := wire.ParseNote(string(text), reg.Place.Address(), wire.WitnessName(reg.Name), reg.Trust.Keyset(wire.RoleWitness))
	if err != nil {
		return 0, "", err
	}
	v, err := note.NewVerifier(wire.LogVKey(c.Origin(), log))
	if err != nil {
		return 0, "", err
	}
	if _, err := note.Open(text, note.VerifierList(v)); err != nil {
		return 0, "", err
	}
	return c.Size, base64.StdEncoding.EncodeToString(c.Root[:]), nil
}

// signers are the keys whose signatures the checkpoint must bear: the gateway's
// and those of the registry's witnesses.
func (p *second) signers() (ed25519.PublicKey, *keys.Registry, error) {
	keyset := filepath.Join(p.dir, "state", "keys")
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
