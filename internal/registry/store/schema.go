package store

// schema creates schema version 1, and whatever a database from before versions lacks of it. Later
// changes are steps of their own in open. Unsigned 64-bit numbers (epochs, lines) are stored as the
// signed number with the same bits; times are ms since 1970-01-01T00:00:00Z.
var schema = []string{
	`CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL)`,
	// All gateways that ever sent. hello: the payload of the newest.
	`CREATE TABLE IF NOT EXISTS gateways (
		id BIGINT PRIMARY KEY, building TEXT NOT NULL, gateway TEXT NOT NULL,
		district TEXT NOT NULL, town TEXT NOT NULL, hello BYTEA, hello_at BIGINT NOT NULL,
		UNIQUE (building, gateway))`,
	// One row for each epoch of a gateway's journal; tree: its compact range.
	`CREATE TABLE IF NOT EXISTS epochs (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, number BIGINT NOT NULL,
		size BIGINT NOT NULL, tree BYTEA NOT NULL, stored_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch))`,
	// The key of the machine that sent the newest epoch of a gateway.
	`CREATE TABLE IF NOT EXISTS machines (gateway BIGINT PRIMARY KEY, public BYTEA NOT NULL)`,
	// The last cosigned checkpoint of each epoch; time in Unix s.
	`CREATE TABLE IF NOT EXISTS cosigned (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, size BIGINT NOT NULL, root BYTEA NOT NULL, time BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch))`,
	// body: the batch without its sealed part, which can be erased separately. The
	// entries of this row begin at first; body may begin earlier. wall_from
	// and wall_to: the range of their times.
	`CREATE TABLE IF NOT EXISTS batches (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, first BIGINT NOT NULL, next BIGINT NOT NULL,
		wall_from BIGINT NOT NULL, wall_to BIGINT NOT NULL,
		body BYTEA NOT NULL, sealed BYTEA, stored_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch, first))`,
	// Signed batches that contradict what is stored: evidence.
	`CREATE TABLE IF NOT EXISTS forks (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, first BIGINT NOT NULL, root BYTEA NOT NULL,
		envelope BYTEA NOT NULL, found_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch, first, root))`,
	// stored: 1 when the entry itself has arrived, 0 when only its notice has.
	`CREATE TABLE IF NOT EXISTS alarms (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL,
		header BYTEA NOT NULL, stored BIGINT NOT NULL, heard_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch, seq))`,
	`CREATE INDEX IF NOT EXISTS alarms_heard ON alarms (heard_at)`,
	`CREATE TABLE IF NOT EXISTS applied (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL,
		version BIGINT NOT NULL, hash BYTEA NOT NULL, stored_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch, seq))`,
	`CREATE INDEX IF NOT EXISTS applied_version ON applied (gateway, version)`,
	// How often a gateway's disk was rolled back, and the oldest list that it then had.
	`CREATE TABLE IF NOT EXISTS setbacks (gateway BIGINT PRIMARY KEY, number BIGINT NOT NULL, list BIGINT NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS deliveries (
		number BIGINT PRIMARY KEY, gateway BIGINT NOT NULL, line BIGINT NOT NULL, record BIGINT NOT NULL,
		envelope BYTEA NOT NULL, person BYTEA, stored_at BIGINT NOT NULL,
		UNIQUE (gateway, line, record))`,
	// The line in which a gateway numbers its records now. renew: 1 when it contradicts itself,
	// so that the gateway must begin another.
	`CREATE TABLE IF NOT EXISTS lines (gateway BIGINT PRIMARY KEY, line BIGINT NOT NULL, renew BIGINT NOT NULL)`,
	// Records that a sibling brought: their maker may still have the sealed person.
	`CREATE TABLE IF NOT EXISTS owed (gateway BIGINT NOT NULL, line BIGINT NOT NULL, record BIGINT NOT NULL,
		PRIMARY KEY (gateway, line, record))`,
	// Sealed persons by their SHA-256.
	`CREATE TABLE IF NOT EXISTS persons (hash BYTEA PRIMARY KEY, sealed BYTEA NOT NULL, stored_at BIGINT NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS trust (version BIGINT PRIMARY KEY, envelope BYTEA NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS houses (building TEXT PRIMARY KEY, version BIGINT NOT NULL, envelope BYTEA NOT NULL)`,
	// Every list that was published: its hash; of the newest, all.
	`CREATE TABLE IF NOT EXISTS lists (
		building TEXT NOT NULL, version BIGINT NOT NULL, hash BYTEA NOT NULL, stored_at BIGINT NOT NULL,
		manifest BYTEA, second BYTEA,
		PRIMARY KEY (building, version))`,
	// The newest list of a building in the first format.
	`CREATE TABLE IF NOT EXISTS old_lists (building TEXT PRIMARY KEY, hash BYTEA NOT NULL, manifest BYTEA NOT NULL, second BYTEA)`,
	// The log of a building's manifests, in the issuer's order. own: 1
	// for those that it signed itself.
	`CREATE TABLE IF NOT EXISTS manifests (
		building TEXT NOT NULL, n BIGINT NOT NULL, hash BYTEA NOT NULL, epoch BIGINT NOT NULL, version BIGINT NOT NULL, own BIGINT NOT NULL,
		PRIMARY KEY (building, n))`,
	`CREATE INDEX IF NOT EXISTS manifests_hash ON manifests (building, hash)`,
	// House documents for gateways that read the first format only.
	`CREATE TABLE IF NOT EXISTS old_houses (building TEXT PRIMARY KEY, envelope BYTEA NOT NULL)`,
	// What two issuers have signed for a gateway and it has not applied yet.
	`CREATE TABLE IF NOT EXISTS undos (building TEXT NOT NULL, gateway TEXT NOT NULL, envelope BYTEA NOT NULL, PRIMARY KEY (building, gateway))`,
	// How much a backup has: entries of an epoch (kind 1), records of a line (kind 2).
	`CREATE TABLE IF NOT EXISTS safe (
		gateway BIGINT NOT NULL, kind BIGINT NOT NULL, stream BIGINT NOT NULL, mark BIGINT NOT NULL, backup_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, kind, stream))`,
	// Remarks of a restore that were not dismissed yet.
	`CREATE TABLE IF NOT EXISTS remarks (text TEXT PRIMARY KEY, said_at BIGINT NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS buckets (building TEXT NOT NULL, hash BYTEA NOT NULL, body BYTEA NOT NULL,
		PRIMARY KEY (building, hash))`,
}
