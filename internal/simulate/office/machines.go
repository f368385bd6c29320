package office

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// Replace puts a new machine in the place of a gateway, and enrols it.
func (h *Hints) Replace(b *testbed.Gateway) {
	began := h.w.Now()
	h.w.Report.Say("%s is replaced by a new machine", b.Name)
	b.Stop()
	h.w.Must(b.Name, b.Disk.Fresh())
	if err := os.MkdirAll(b.Disk.Path("state"), 0o700); err != nil {
		h.w.Must(b.Name, err)
	}
	b.Clock.Set(0, true)
	h.w.Model.Minds[b.Name] = &model.Mind{Knows: map[int]bool{}, Keyless: !h.keyElsewhere(b)}
	err := b.EnrolPatiently()
	h.w.Must(b.Name, err)
	h.w.Must(b.Name, b.Start())
	if err == nil { // else its status asks for the same again
		h.Follow()
	}
	h.w.Lost(began, b.Name+" is a new machine")
	h.w.Entries.Forget(b.Name, h.w.Shown)
	h.w.Erased.Another(b.Name)
}

// keyElsewhere reports whether another gateway has the building's key, to send it.
func (h *Hints) keyElsewhere(b *testbed.Gateway) bool {
	return slices.ContainsFunc(h.w.Bed.Gateways, func(o *testbed.Gateway) bool {
		_, err := keys.LoadBuildingKey(o.Disk.Path("state", "keys", keys.BuildingKeyFile))
		return o != b && err == nil
	})
}

// enrolAnew enrols a gateway with a new token, after what its status names of its keys has
// been moved away. What asks for it is what shows the loss.
func (h *Hints) enrolAnew(b *testbed.Gateway, files []string) {
	began := h.w.Now()
	b.Stop()
	what := strings.Join(files, " and ")
	switch {
	case len(files) == 0:
		what = "nothing"
	case slices.Contains(files, ""):
		what, files = "its keys", []string{""}
	case len(files) > 2:
		what = "its keys but the building's"
	}
	aside := b.Disk.Path("state", "keys.aside")
	err := os.RemoveAll(aside)
	if !slices.Contains(files, "") {
		err = errors.Join(err, os.Mkdir(aside, 0o700))
	}
	for _, file := range files {
		err = errors.Join(err, os.Rename(b.Disk.Path("state", "keys", file), filepath.Join(aside, file)))
	}
	if err == nil {
		err = b.EnrolPatiently()
	}
	h.w.Report.Say("%s has %s moved away and is enrolled anew%s", b.Name, what, world.Said(err))
	h.w.Lost(began, b.Name+" was enrolled anew")
	h.w.Must(b.Name, b.Start())
}

// fromEscrow puts the building's key into a gateway, from escrow.
func (h *Hints) fromEscrow(b *testbed.Gateway) error {
	private, err := keys.LoadSealKey(h.w.Bed.Path("offline/" + authority.FileEscrow))
	if err != nil {
		return err
	}
	e, err := h.w.Bed.Registry.Op.Escrow(h.w.Bed.Ctx, testbed.Building)
	if err != nil {
		return err
	}
	key, err := keys.UnsealBuildingKey(private, e.Address, e.Sealed)
	if err != nil {
		return err
	}
	for _, o := range h.w.Bed.Gateways {
		h.w.Model.Minds[o.Name].Keyless = false // this one sends it to the others
	}
	return keys.SaveBuildingKey(b.Disk.Path("state", "keys", keys.BuildingKeyFile), key)
}
