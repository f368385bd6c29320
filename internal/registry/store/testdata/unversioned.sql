BEGIN TRANSACTION;
CREATE TABLE alarms (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL,
		header BYTEA NOT NULL, stored BIGINT NOT NULL, heard_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch, seq));
CREATE TABLE applied (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, seq BIGINT NOT NULL,
		version BIGINT NOT NULL, hash BYTEA NOT NULL, stored_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch, seq));
CREATE TABLE batches (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, first BIGINT NOT NULL, next BIGINT NOT NULL,
		wall_from BIGINT NOT NULL, wall_to BIGINT NOT NULL,
		body BYTEA NOT NULL, sealed BYTEA, stored_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch, first));
INSERT INTO "batches" VALUES(1,7,0,3,0,0,X'626F6479',NULL,1700000000000);
CREATE TABLE buckets (building TEXT NOT NULL, hash BYTEA NOT NULL, body BYTEA NOT NULL,
		PRIMARY KEY (building, hash));
CREATE TABLE cosigned (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, size BIGINT NOT NULL, root BYTEA NOT NULL, time BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch));
CREATE TABLE deliveries (
		number BIGINT PRIMARY KEY, gateway BIGINT NOT NULL, line BIGINT NOT NULL, record BIGINT NOT NULL,
		envelope BYTEA NOT NULL, person BYTEA, stored_at BIGINT NOT NULL,
		UNIQUE (gateway, line, record));
INSERT INTO "deliveries" VALUES(1,1,9,1,X'7265636F7264',NULL,1700000000000);
CREATE TABLE epochs (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, number BIGINT NOT NULL,
		size BIGINT NOT NULL, tree BYTEA NOT NULL, stored_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch));
INSERT INTO "epochs" VALUES(1,7,1,0,X'0000000000000000',1700000000000);
CREATE TABLE forks (
		gateway BIGINT NOT NULL, epoch BIGINT NOT NULL, first BIGINT NOT NULL, root BYTEA NOT NULL,
		envelope BYTEA NOT NULL, found_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, epoch, first, root));
CREATE TABLE gateways (
		id BIGINT PRIMARY KEY, building TEXT NOT NULL, gateway TEXT NOT NULL,
		district TEXT NOT NULL, town TEXT NOT NULL, hello BYTEA, hello_at BIGINT NOT NULL,
		UNIQUE (building, gateway));
INSERT INTO "gateways" VALUES(1,'b','g','d','t',X'68656C6C6F',1700000000000);
CREATE TABLE houses (building TEXT PRIMARY KEY, version BIGINT NOT NULL, envelope BYTEA NOT NULL);
CREATE TABLE lines (gateway BIGINT PRIMARY KEY, line BIGINT NOT NULL, renew BIGINT NOT NULL);
CREATE TABLE lists (
		building TEXT NOT NULL, version BIGINT NOT NULL, hash BYTEA NOT NULL, stored_at BIGINT NOT NULL,
		manifest BYTEA, second BYTEA,
		PRIMARY KEY (building, version));
CREATE TABLE machines (gateway BIGINT PRIMARY KEY, public BYTEA NOT NULL);
CREATE TABLE manifests (
		building TEXT NOT NULL, n BIGINT NOT NULL, hash BYTEA NOT NULL, epoch BIGINT NOT NULL, version BIGINT NOT NULL, own BIGINT NOT NULL,
		PRIMARY KEY (building, n));
CREATE TABLE meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO "meta" VALUES('schema',1);
CREATE TABLE old_houses (building TEXT PRIMARY KEY, envelope BYTEA NOT NULL);
CREATE TABLE old_lists (building TEXT PRIMARY KEY, hash BYTEA NOT NULL, manifest BYTEA NOT NULL, second BYTEA);
CREATE TABLE owed (gateway BIGINT NOT NULL, line BIGINT NOT NULL, record BIGINT NOT NULL,
		PRIMARY KEY (gateway, line, record));
CREATE TABLE persons (hash BYTEA PRIMARY KEY, sealed BYTEA NOT NULL, stored_at BIGINT NOT NULL);
INSERT INTO "persons" VALUES(X'C9D0036BED6744BCDF692FC980D8717D7E5F5A4F4E8266B4A84982602FB1CD09',X'7365616C6564',1700000000000);
CREATE TABLE remarks (text TEXT PRIMARY KEY, said_at BIGINT NOT NULL);
CREATE TABLE safe (
		gateway BIGINT NOT NULL, kind BIGINT NOT NULL, stream BIGINT NOT NULL, mark BIGINT NOT NULL, backup_at BIGINT NOT NULL,
		PRIMARY KEY (gateway, kind, stream));
CREATE TABLE setbacks (gateway BIGINT PRIMARY KEY, number BIGINT NOT NULL, list BIGINT NOT NULL);
CREATE TABLE trust (version BIGINT PRIMARY KEY, envelope BYTEA NOT NULL);
INSERT INTO "trust" VALUES(1,X'7472757374');
CREATE TABLE undos (building TEXT NOT NULL, gateway TEXT NOT NULL, envelope BYTEA NOT NULL, PRIMARY KEY (building, gateway));
CREATE INDEX alarms_heard ON alarms (heard_at);
CREATE INDEX applied_version ON applied (gateway, version);
CREATE INDEX manifests_hash ON manifests (building, hash);
COMMIT;