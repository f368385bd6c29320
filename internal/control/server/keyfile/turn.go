package keyfile

import (
	"net/http"
	"sync"

	"gatehouse/internal/socket"
)

// Turn is the turn to give a gateway its keys, by a key file or by an enrolment: one at a time, since
// the files of both together are a gateway of neither. Safe for concurrent use.
type Turn struct{ mu sync.Mutex }

// Free refuses while somebody has the turn.
func (t *Turn) Free() error {
	if !t.mu.TryLock() {
		return errTaken()
	}
	t.mu.Unlock()
	return nil
}

func errTaken() error {
	return socket.Refused(http.StatusConflict, "wait a minute, then look whether it has its keys", "somebody gives this gateway its keys already")
}

// Take runs do alone. Who gave the gateway keys, as an error of do denies, keeps the turn: the daemon
// begins anew with them, and does not know them before. Who comes meanwhile is refused, and does not wait:
// an enrolment takes as long as its registry.
func (t *Turn) Take(do func() error) (err error) {
	if !t.mu.TryLock() {
		return errTaken()
	}
	given := false
	defer func() { // also after a panic
		if !given {
			t.mu.Unlock()
		}
	}()
	err = do()
	given = err == nil
	return err
}
