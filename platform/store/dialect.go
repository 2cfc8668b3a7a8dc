package store

import (
	"context"
	"database/sql"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/muttproject/mutt/migrations"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// dialect is everything in which the databases differ.
type dialect struct {
	judge      func(s *Store, ctx context.Context, process string, sorted []JudgedEntry) (known []event.ID, err error)
	goose      goose.Dialect
	migrations func() (fs.FS, error)
	id         func(*event.ID) any // the parameter for an id; it may point into the id
	// bulkMark is the placeholder in multi-row statements, always in the order of the parameters.
	bulkMark func(n int) string
	// bulkInsert begins a multi-row INSERT.
	bulkInsert string
	search     string // the condition that raw_message has the LIKE pattern $%d, ignoring the case of ASCII letters
	fault      func(err error, doing string) error
	lost       func(error) bool // the transaction lost against another one: run it again
	backup     string           // copies the database to the file $1, "" when that is not this program's task

	patience time.Duration      // how long the pipeline waits for an answer, 0 for as long as it takes
	prepares bool               // statements are prepared here; the driver does not do it by itself
	snapshot sql.IsolationLevel // in which all reads of a transaction see one state
	// inner is the context of the statements of a transaction that ends with ctx all the same.
	inner        func(ctx context.Context) context.Context
	highestRule  string // asks for the highest id that a rule has had; "" where only an INSERT says the next one
	lockCounters string // lets one transaction at a time work on the counters of unhandled events; "" where all do
	// foldBooks lets transactions fold counters side by side, closeBooks lets one alone merge old rows of the books; "" where all write alone.
	foldBooks, closeBooks string

	bytewise string // after an expression: it is compared by its bytes
	// guards compares the triggers with the text of the migrations.
	guards   func(ctx context.Context, q querier, migrations string) ([]Difference, error)
	hasTable string                             // asks whether the table %s exists
	locker   func() (lock.SessionLocker, error) // keeps two processes from migrating at once
}

func sqliteDialect() dialect {
	return dialect{
		judge:      (*Store).judgeByInsert,
		goose:      goose.DialectSQLite3,
		migrations: migrations.SQLite,
		id:         func(id *event.ID) any { return id[:] },
		// SQLite looks up each named parameter ($1) in a list, which a thousand of them make quadratic.
		bulkMark: func(int) string { return "?" },
		// A failed statement ends the transaction, so SQLite need not be able to undo it alone: saves 6 %.
		bulkInsert: "INSERT OR ROLLBACK INTO ",
		search:     `raw_message LIKE $%d ESCAPE '!'`,
		fault: func(err error, doing string) error {
			return sqlite.Fault(err, fault.StoreUnavailable, doing)
		},
		lost:     func(error) bool { return false }, // one writer
		backup:   "VACUUM INTO $1",
		prepares: true,
		// AUTOINCREMENT continues after it; an explicit id that is higher moves it.
		highestRule: `SELECT COALESCE(max(seq), 0) FROM sqlite_sequence WHERE name = 'alert_rules'`,
		// The driver starts a goroutine for every statement whose context can end.
		inner:    context.WithoutCancel,
		guards:   sqliteGuards,
		hasTable: `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '%s'`,
	}
}
