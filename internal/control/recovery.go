package control

import (
	"context"
	"net/http"
	"time"

	"gatehouse/internal/socket"
)

// Recovery is the state of the backups of a gateway.
type Recovery struct {
	Code    *time.Time `json:"code,omitempty"`    // when the recovery code was made; absent: none, and no backups
	Proved  *time.Time `json:"proved,omitempty"`  // when it last opened a backup
	Made    *time.Time `json:"made,omitempty"`    // the newest good backup
	Size    int        `json:"size,omitempty"`    // of it, bytes
	Problem string     `json:"problem,omitempty"` // why the last one could not be made
	Away    *Away      `json:"away,omitempty"`    // absent: the site file names no other directory
	// Registry is the copy at the registry; absent: a standalone house.
	Registry *Offsite `json:"registry,omitempty"`
}

// Offsite is the copy of the backup at the registry.
type Offsite struct {
	Made    *time.Time `json:"made,omitempty"` // the newest that is there; absent: none
	Kept    *time.Time `json:"kept,omitempty"` // when the registry said last that it has it
	Problem string     `json:"problem,omitempty"`
}

// Away is the copy of the backup in another directory.
type Away struct {
	Directory string     `json:"directory"`
	Made      *time.Time `json:"made,omitempty"` // the newest that was put there
	Problem   string     `json:"problem,omitempty"`
}

// NewRecovery asks for a recovery code.
type NewRecovery struct {
	Replace bool `json:"replace"` // there may be one: it opens no backup from now on
}

// RecoveryCode is a recovery code, which is shown once.
type RecoveryCode struct {
	Code string `json:"code"`
}

// Rehearsed is what a rehearsed restore would have brought back.
type Rehearsed struct {
	Building  string    `json:"building"`
	Gateway   string    `json:"gateway"`
	Made      time.Time `json:"made"`
	List      uint64    `json:"list"`
	Tenancies int       `json:"tenancies"`
	Doors     []string  `json:"doors"`
}

// Backup is a backup to be stored elsewhere: only the recovery code opens it.
type Backup struct {
	Name  string `json:"name"` // of the file
	Data  []byte `json:"data"`
	State string `json:"state"` // the gateway's directory: on its disk a copy would be lost with the gateway
}

// Backups is the part of a daemon's client for its backups.
type Backups struct{ socket *socket.Client }

// BackupsOf returns the Backups of a client.
func BackupsOf(c *Client) Backups { return Backups{c.socket} }

// Status returns the state of the backups.
func (b Backups) Status(ctx context.Context) (r Recovery, err error) {
	return r, b.socket.Call(ctx, http.MethodGet, "/v1/recovery", nil, &r)
}

// NewCode makes a recovery code.
func (b Backups) NewCode(ctx context.Context, in NewRecovery) (r RecoveryCode, err error) {
	return r, b.socket.Wait(ctx, http.MethodPost, "/v1/recovery", in, &r)
}

// Rehearse restores a backup by a code, into a directory that is deleted again. The status of its
// *Error is 422 where the code is mistyped, 403 where it is another's, 409 where there is no
// backup.
func (b Backups) Rehearse(ctx context.Context, in RecoveryCode) (r Rehearsed, err error) {
	return r, b.socket.Wait(ctx, http.MethodPost, "/v1/recovery/rehearse", in, &r)
}

// Take makes a backup now.
func (b Backups) Take(ctx context.Context) (made Backup, err error) {
	return made, b.socket.Wait(ctx, http.MethodPost, "/v1/backup", nil, &made)
}

// MostRestore bounds the backup of a RestoreRequest, in bytes: that of a house of 30,000 cards; 400
// have 48 KB.
const MostRestore = 4 << 20

// RestoreRequest makes a machine that is no gateway yet replace another.
type RestoreRequest struct {
	Data []byte `json:"data"` // the backup; the tool takes larger ones than the socket
	// Token is that of the registry whose operator lets this machine take the gateway's
	// place: the backup comes from there, and the machine is enrolled with it after that.
	// Empty: it is in Data.
	Token string `json:"token,omitempty"`
	Code  string `json:"code"`
}

// Restored is what a backup brought back.
type Restored struct {
	Building  string    `json:"building"`
	Gateway   string    `json:"gateway"`
	Made      time.Time `json:"made"`
	Registry  string    `json:"registry"` // its id; "none"
	Tenancies int       `json:"tenancies"`
	Doors     []string  `json:"doors"`
	// Enrolled says that it is the registry's gateway again; Later why it is not yet, where a
	// token was given. The doors do not wait for it.
	Enrolled bool   `json:"enrolled"`
	Later    string `json:"later,omitempty"`
	Older    string `json:"older,omitempty"` // why it is not the newest that the registry has; empty: it is
}

// Restore gives a backup to a daemon that waits to be set up. The status of its *Error is 422 where
// the code is mistyped, or this machine is a gateway already; 403 where it is another's; 400 where
// the backup is damaged; 404 where the registry has none.
func (b Backups) Restore(ctx context.Context, in RestoreRequest) (r Restored, err error) {
	return r, b.socket.Wait(ctx, http.MethodPost, "/v1/setup/restore", in, &r)
}
