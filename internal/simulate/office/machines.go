package office

import (
	"errors"
	"os"
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
	h.w.Model.Minds[b.Name] = &model.Mind{Knows: map[int]bool{}}
	err := b.EnrolPatiently()
	h.w.Must(b.Name, err)
	h.w.Must(b.Name, b.Start())
	if err == nil { // else its status asks for the same again
		h.Follow()
	}
	h.w.Lost(began, b.Name+" is a new machine")
	h.w.Entries.Forget(b.Name)
}

// enrolAnew moves a gateway's keys away, or those that its status names, and enrols it
// with a new token, as that says where they can't be read or nothing that the registry
// says can be believed.
func (h *Hints) enrolAnew(b *testbed.Gateway, files []string) {
	began := h.w.Now()
	b.Stop()
	what, signs := "its keys", []string{""}
	if len(files) > 0 { // the loss is that of the file, of which its status has spoken
		what, signs = strings.Join(files, " and "), nil
	} else {
		files = []string{""}
	}
	var err error
	for _, file := range files {
		path := b.Disk.Path("state", "keys", file)
		_ = os.RemoveAll(path + ".aside")
		err = errors.Join(err, os.Rename(path, path+".aside"))
	}
	if err == nil {
		err = b.EnrolPatiently()
	}
	h.w.Report.Say("%s has %s moved away and is enrolled anew%s", b.Name, what, world.Said(err))
	h.w.Lost(began, b.Name+" was enrolled anew", signs...)
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
	return keys.SaveBuildingKey(b.Disk.Path("state", "keys", keys.BuildingKeyFile), key)
}
