package account

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
)

// Change is one of who may use the page, as the gateway's log has it: numbers, never a name.
type Change struct {
	By    string `json:"by"` // caller.Caller as it is written
	Of    string `json:"of"`
	Ended bool   `json:"ended,omitempty"`
}

// mostChanges wait at most; a page without its gateway makes no more in a year.
const mostChanges = 1000

// Notes are the changes that the gateway's log does not have yet, oldest first, in a file beside
// the accounts: the first owner is there before the gateway serves a house. Safe for concurrent use.
type Notes struct {
	path string
	mu   sync.Mutex // over the file and over telling, so that their order is kept
	all  []Change
}

// OpenNotes reads what waits in the directory of the accounts. A file that can't be read is set
// aside: who may use the page does not depend on it.
func OpenNotes(directory string) (*Notes, error) {
	n := &Notes{path: filepath.Join(directory, "notes.json")}
	raw, err := os.ReadFile(n.path)
	if os.IsNotExist(err) {
		return n, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &n.all)
	}
	if err == nil {
		return n, nil
	}
	n.all = nil
	if err := os.Rename(n.path, n.path+".bad"); err != nil {
		return nil, fmt.Errorf("set aside the changes of accounts that wait for the gateway's log: %w", err)
	}
	return n, nil
}

// Add keeps a change until Tell has told it.
func (n *Notes) Add(c Change) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.all) >= mostChanges {
		return fmt.Errorf("%s of accounts wait for the gateway's log already", amount.Of(len(n.all), "change"))
	}
	return n.save(append(slices.Clone(n.all), c))
}

// Tell tells what waits, in order, until one can't be told, and returns why. One that was told
// when the machine died is told again.
func (n *Notes) Tell(tell func(Change) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.all) > 0 {
		if err := tell(n.all[0]); err != nil {
			return err
		}
		if err := n.save(n.all[1:]); err != nil {
			return err
		}
	}
	return nil
}

// save replaces the file, then what is in memory, so that nothing is told twice because a disk is
// full. The caller holds mu.
func (n *Notes) save(all []Change) error {
	raw, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("write the changes of accounts: %w", err)
	}
	err = durable.WriteForOwner(n.path, raw, 0o600)
	n.all = all
	if err != nil {
		return fmt.Errorf("keep the changes of accounts for the gateway's log: %w", err)
	}
	return nil
}
