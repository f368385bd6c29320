package retention

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/whose"
	"gatehouse/internal/socket"
)

// atOnce is how many lists of entries the front takes at once: it rewrites its database after each time.
const atOnce = 1000

// brief erases whom the stored log names of those under 14 and whose time is over, in all buildings. Which entries they are is found here,
// with the key, and shown to nobody; it is written down first that it was done.
func (c Erase) brief(s *Session) error {
	if c.Tenancy != "" || c.Reason != "" || c.Case != "" || c.Order != "" {
		return socket.Hinted("leave out the tenancy, --reason, --case and --order", "--under-14 is for all whose time is over, and nobody asks for it")
	}
	key, err := loadKey(c.Key)
	if err != nil {
		return err
	}
	run, err := s.Issuer.Brief(s.Ctx, operator.Brief{})
	if err != nil {
		return err
	}
	found, err := c.find(s, key, run)
	if err != nil {
		return err
	}
	var done api.Forgotten
	for some := range slices.Chunk(found.Entries(), atOnce) {
		for i := range some {
			some[i].Aged = true
		}
		part, err := s.Front.Forget(s.Ctx, some)
		if err != nil {
			return err
		}
		done.Erased, done.Later = done.Erased+part.Erased, done.Later+part.Later
	}
	_, err = s.Issuer.Brief(s.Ctx, operator.Brief{Before: run.Before, Days: run.Days})
	next := run.Before.AddDate(0, 0, 2*run.Days)
	return s.Print(map[string]any{"buildings": len(run.Tenancies), "before": run.Before, "erased": done.Erased, "later": done.Later, "shut": found.Shut, "next": next}, err, func(w io.Writer) {
		writeBrief(w, run, done, found.Shut)
	})
}

// find looks through the sealed who parts of all buildings with such a tenancy.
func (c Erase) find(s *Session, key []byte, run operator.Brief) (*whose.Finder, error) {
	var all []string
	for _, tenancies := range run.Tenancies {
		all = append(all, tenancies...)
	}
	found := whose.New(key, all...)
	found.Before = run.Before
	for _, building := range slices.Sorted(maps.Keys(run.Tenancies)) {
		if err := s.Front.Seals(s.Ctx, building, found.Look); err != nil {
			return nil, err
		}
	}
	if found.Opened == 0 && found.Shut > 0 {
		return nil, socket.Hinted("is --key the records.key of this registry? What was sealed before a new one opens with the old one", "this key opens nothing that is over: nothing is erased")
	}
	return found, nil
}

// writeBrief says what was done, and when again. It names no building: of few tenancies that would say whose they are.
func writeBrief(w io.Writer, run operator.Brief, done api.Forgotten, shut int) {
	zone := calendar.Here()
	if len(run.Tenancies) == 0 {
		fmt.Fprintln(w, "no tenancy of anybody under 14 is known here: there is nothing to erase")
		return
	}
	fmt.Fprintf(w, "%s of those under 14 erased, of all that was stored before %s (%s), in %s\n", amount.Of(done.Erased, "who part"),
		calendar.Minute(run.Before, zone), amount.Of(run.Days, "day"), amount.Of(len(run.Tenancies), "building"))
	if done.Later > 0 {
		fmt.Fprintf(w, "%s stay for now, as an officer's order preserves them, and go by themselves when it ends\n", amount.Of(done.Later, "who part"))
	}
	if shut > 0 {
		fmt.Fprintf(w, "NOT LOOKED AT: %s that this key does not open; what was sealed before a new records key opens with the old one\n", amount.Of(shut, "batch"))
	}
	fmt.Fprintf(w, "next time: %s, as registryd status says then; gateways erase their own\n", calendar.Minute(run.Before.AddDate(0, 0, 2*run.Days), zone))
}

// loadKey reads the records key from its stick.
func loadKey(path string) ([]byte, error) {
	key, err := keys.LoadSealKey(path)
	if err != nil {
		return nil, socket.Hinted("写明优盘上的 records.key；--key names records.key, which registryd init wrote into the offline directory", "--key 读不出私钥 no private key: %v", err)
	}
	return key, nil
}
