package store

import (
	"context"
	"database/sql"
	"sync"
)

// prepared are the readers' connections. Each compiles a query once: that costs as much as a query for one row. Its rows
// keep their connection to themselves until they are read, so that no other query moves their cursor.
type prepared struct {
	*sql.DB
	known sync.Map // *sql.Stmt by its text; the texts are those of this program, so that they are few
}

// QueryContext begins a query.
func (p *prepared) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	stmt, known := p.known.Load(text)
	if !known {
		fresh, err := p.PrepareContext(ctx, text)
		if err != nil {
			return nil, err
		}
		if stmt, known = p.known.LoadOrStore(text, fresh); known {
			_ = fresh.Close() // another one came first
		}
	}
	return stmt.(*sql.Stmt).QueryContext(ctx, args...)
}

// statements are the compiled statements of the writing connection: compiling one costs as much as
// executing it. It is for one Update at a time.
type statements struct {
	known  map[string]*sql.Stmt
	missed []string // executed in this Update, and not known
}

// learn compiles the statements that the Update before had to compile for itself. It is called with no
// transaction open. One that fails is compiled by each Update.
func (s *statements) learn(ctx context.Context, db *sql.DB) {
	for _, text := range s.missed {
		if s.known[text] != nil {
			continue // executed more than once
		}
		if stmt, err := db.PrepareContext(ctx, text); err == nil {
			s.known[text] = stmt
		}
	}
	s.missed = s.missed[:0]
}

// compiled is a transaction that executes known statements. Of queries only those are among them whose rows
// are read before anything else: the driver has one cursor for each compiled statement, and another query may
// be repeated while its rows are read.
type compiled struct {
	*sql.Tx
	statements *statements
}

// ExecContext executes a statement, with the compiled one if there is one.
func (c compiled) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if stmt := c.known(ctx, text); stmt != nil {
		return stmt.ExecContext(ctx, args...)
	}
	return c.Tx.ExecContext(ctx, text, args...)
}

// known returns the compiled statement; nil: it is compiled after this Update.
func (c compiled) known(ctx context.Context, text string) *sql.Stmt {
	if stmt := c.statements.known[text]; stmt != nil {
		return c.StmtContext(ctx, stmt)
	}
	c.statements.missed = append(c.statements.missed, text)
	return nil
}

// atOnce is a transaction of which all rows of a query are read, or the first one, before the next query begins.
type atOnce struct{ compiled }

// QueryContext begins a query, with the compiled statement if there is one.
func (a atOnce) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if stmt := a.known(ctx, text); stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	return a.Tx.QueryContext(ctx, text, args...)
}
