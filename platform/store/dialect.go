package store

import (
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/muttproject/mutt/migrations"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// dialect is everything in which the databases differ.
type dialect struct {
	goose      goose.Dialect
	migrations func() (fs.FS, error)
	id         func(*event.ID) any // the parameter for an id; it may point into the id
	// bulkMark is the placeholder in multi-row statements, always in the order of the parameters.
	bulkMark func(n int) string
	// bulkInsert begins a multi-row INSERT.
	bulkInsert string
	search     string // the condition that raw_message has the LIKE pattern $%d, ignoring the case of ASCII letters
	fault      func(err error, doing string) error
	backup     string // copies the database to the file $1, "" when that is not this program's task
}

func sqliteDialect() dialect {
	return dialect{
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
		backup: "VACUUM INTO $1",
	}
}
