package store

import (
	"fmt"
	"time"

	"gatehouse/sync/wire"
)

// contexts creates schema version 5: the encapsulated keys of the contexts in which a gateway has
// sealed the who parts of an epoch. Batches without one are sealed each by itself, or have no seals.
// The reference keeps a key for as long as a batch needs it, whoever deletes what.
var contexts = []string{
	`CREATE TABLE contexts (
		number BIGINT PRIMARY KEY, gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, id BYTEA NOT NULL,
		encapsulated BYTEA NOT NULL, stored_at BIGINT NOT NULL,
		UNIQUE (gateway, epoch, id))`,
	`ALTER TABLE batches ADD COLUMN context BIGINT REFERENCES contexts (number)`,
}

// Context returns the number of a context of a gateway's epoch; 0: it is not stored.
func (tx *Tx) Context(gateway int64, epoch uint64, id wire.ID) (number uint64, err error) {
	return tx.number(fmt.Sprintf("read context of epoch %016x", epoch),
		`SELECT number FROM contexts WHERE gateway = $1 AND epoch = $2 AND id = $3`, gateway, epoch, id[:])
}

// AddContext stores a context that is not stored yet, and returns its number.
func (tx *Tx) AddContext(gateway int64, epoch uint64, id wire.ID, encapsulated []byte, at time.Time) (uint64, error) {
	err := tx.exec(`INSERT INTO contexts (number, gateway, epoch, id, encapsulated, stored_at)
		VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM contexts), $1, $2, $3, $4, $5)`, gateway, epoch, id[:], encapsulated, at)
	if err != nil {
		return 0, wrap(fmt.Sprintf("context of epoch %016x", epoch), err)
	}
	return tx.Context(gateway, epoch, id)
}
