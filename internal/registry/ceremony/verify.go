package ceremony

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/store"
)

// Look is the yearly look at the sticks of a ceremony.
type Look struct {
	Sticks  []string // where they are mounted, in any order; those of another place are looked at there
	Record  []byte
	Backup  string // directory of a registryd backup; empty: none is looked at
	Program Program
	Now     time.Time
}

// Seen is what came of a look.
type Seen struct {
	Lines  []Line `json:"seen"`
	proved []string
	Code   string `json:"code,omitempty"` // of the sums that the sticks have now; empty: something is bad
	Same   bool   `json:"same"`           // it is the code of the record
	Bad    bool   `json:"bad"`            // a line is bad
	Paper  []byte `json:"-"`              // the record anew, for keys that were replaced since; nil: something is bad
}

// Line is one thing that was looked at.
type Line struct {
	Bad  bool   `json:"bad,omitempty"`
	Text string `json:"text"`
}

func (s *Seen) good(format string, args ...any) {
	s.Lines = append(s.Lines, Line{Text: fmt.Sprintf(format, args...)})
}

func (s *Seen) bad(format string, args ...any) {
	s.Lines, s.Bad = append(s.Lines, Line{true, fmt.Sprintf(format, args...)}), true
}

// Run looks at each stick and changes nothing on any.
func (l Look) Run(ctx context.Context) (Seen, error) {
	var seen Seen
	sums, trust, err := readRecord(l.Record)
	if err != nil {
		return seen, err
	}
	newest, of, numbers := Sums(nil), 0, []int{}
	for _, path := range l.Sticks {
		label, err := stick(path).label()
		if err != nil {
			seen.bad("%s: %v", path, err)
			continue
		}
		name := fmt.Sprintf("stick %d (%s)", label.Stick, path)
		if slices.Contains(numbers, label.Stick) {
			seen.bad("%s: another stick says that it is %d too: one is a copy of the other's label", name, label.Stick)
		}
		numbers, of = append(numbers, label.Stick), label.Of
		if label.Trial {
			seen.good("%s: of a trial, NOT FOR USE", name)
		}
		have := seen.stick(name, stick(path), sums, trust)
		if newest != nil && len(newest.differ(have)) > 0 {
			seen.bad("%s: it differs from the sticks before in %s: copy the newer one's directory offline over it", name, strings.Join(newest.differ(have), ", "))
		}
		newest = have
	}
	for n := 1; n <= of; n++ {
		if !slices.Contains(numbers, n) {
			seen.good("stick %d was not put in: look at it where it is kept", n)
		}
	}
	if l.Backup != "" && newest != nil {
		seen.backup(ctx, l.Backup, stick(l.Sticks[0]).set())
	}
	if !seen.Bad {
		seen.Code = newest.Code()
		seen.Same = seen.Code == sums.Code()
		seen.Paper, err = l.paper(numbers, newest, seen.proved)
	}
	return seen, err
}

func (l Look) paper(numbers []int, sums Sums, proved []string) ([]byte, error) {
	set := stick(l.Sticks[0]).set()
	label, err := stick(l.Sticks[0]).label()
	if err != nil {
		return nil, err
	}
	s := sheet{Title: "The yearly look: the sticks were read, and a restore from each was rehearsed.", Sticks: numbers, Trial: label.Trial, Proved: proved}
	slices.Sort(s.Sticks)
	return s.fill(set, sums, l.Program, l.Now)
}

// Files of a set that registryd trust new may change.
var replaceable = []string{api.FileTrust, authority.FileSecond, FileCopy}

// stick looks at one and returns its sums.
func (s *Seen) stick(name string, at stick, sums Sums, trust uint64) Sums {
	have, err := sumsOf(at.set())
	if err != nil {
		s.bad("%s: can't be read: %v", name, err)
		return Sums{}
	}
	_, now, err := trustOf(at.set())
	if err != nil {
		s.bad("%s: %v", name, err)
		return have
	}
	differ := sums.differ(have)
	strange := slices.DeleteFunc(slices.Clone(differ), func(file string) bool { return now.Version > trust && slices.Contains(replaceable, file) })
	switch {
	case len(strange) > 0:
		s.bad("%s: NOT AS IN THE RECORD: %s", name, strings.Join(strange, ", "))
	case len(differ) > 0:
		s.good("%s: changed since the record, as trust document %d says: %s; --out prints the record anew", name, now.Version, strings.Join(differ, ", "))
	default:
		s.good("%s: %s can be read, sums as in the record", name, amount.Of(len(have), "file"))
	}
	proved, err := prove(at.set())
	for _, p := range proved {
		s.good("%s: proved: %s", name, p)
	}
	if s.proved = proved; err != nil {
		s.bad("%s: %v", name, err)
	}
	return have
}

// backup looks at what registryd backup has made: that it is whole, and that the escrow
// key of a set opens every building's key in it. It opens nobody's name.
func (s *Seen) backup(ctx context.Context, dir, set string) {
	b, err := os.ReadFile(filepath.Join(dir, "backup.json"))
	var made struct {
		Registry string            `json:"registry"`
		Time     time.Time         `json:"time"`
		SHA256   map[string]string `json:"sha256"`
	}
	if err == nil {
		err = json.Unmarshal(b, &made)
	}
	if err != nil {
		s.bad("backup %s: %v", dir, err)
		return
	}
	for _, name := range []string{issuer.FileDatabase, api.FileDatabase} {
		err := sumIs(filepath.Join(dir, name), made.SHA256[name])
		if err == nil {
			err = dbfile.Check(ctx, filepath.Join(dir, name))
		}
		if err != nil {
			s.bad("backup %s: %v", dir, err)
			return
		}
	}
	for _, name := range []string{api.FileErasures, api.FileAnswers} {
		if sum, there := made.SHA256[name]; there { // backups of before had none
			if err := sumIs(filepath.Join(dir, name), sum); err != nil {
				s.bad("backup %s: %v", dir, err)
				return
			}
		}
	}
	s.good("backup of registry %s of %s: both databases are whole", made.Registry, made.Time.Format(time.RFC1123Z))
	if err := trustStands(ctx, filepath.Join(dir, api.FileDatabase), set); err != nil {
		s.bad("backup %s: %v", dir, err)
		return
	}
	n, err := openEscrow(filepath.Join(dir, issuer.FileDatabase), set)
	if err != nil {
		s.bad("backup %s: %v", dir, err)
		return
	}
	s.good("backup: the escrow key opens the keys of %s", amount.Of(n, "building"))
}

// trustStands reports a set that is older than what the front of a backup trusts: a registry that
// is restored from both signs with keys that no gateway takes any more.
func trustStands(ctx context.Context, front, set string) (err error) {
	_, have, err := trustOf(set)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+front+"?mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var newest sql.NullInt64
	if err := db.QueryRowContext(ctx, `SELECT MAX(version) FROM trust`).Scan(&newest); err != nil {
		return fmt.Errorf("read the trust document: %w", err)
	}
	if uint64(newest.Int64) > have.Version {
		return fmt.Errorf("it has trust document %d, the stick has %d: keys were replaced since, which are not on this stick: copy the directory offline of the stick with which registryd trust new was called over this one's", newest.Int64, have.Version)
	}
	return nil
}

func sumIs(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if hex.EncodeToString(hash.Sum(nil)) != want {
		return fmt.Errorf("%s is not what was backed up: its sum is another", path)
	}
	return nil
}

// openEscrow opens the key of each building in a copy of the issuer's database, and counts them.
func openEscrow(path, set string) (n int, err error) {
	private, err := keys.LoadSealKey(filepath.Join(set, authority.FileEscrow))
	if err != nil {
		return 0, err
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	all, err := store.Buildings(db)
	if err != nil {
		return 0, err
	}
	for _, id := range all {
		b, err := store.Load(db, id)
		if err != nil {
			return n, err
		}
		sealed, err := store.Escrow(db, id)
		if err != nil {
			return n, err
		}
		if len(sealed) == 0 {
			continue // no gateway of it has enrolled yet
		}
		if _, err := keys.UnsealBuildingKey(private, b.Place(b.EscrowOf).Address(), sealed); err != nil {
			return n, fmt.Errorf("the key of building %s: %w", id, err)
		}
		n++
	}
	return n, nil
}
