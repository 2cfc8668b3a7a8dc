// Package migrations holds the schema of the relational store, one directory for each database.
//
// Principles:
//  1. Files are numbered without gaps; a file that was released is never edited.
//  2. A number has the same name and the same meaning for every database.
//  3. Up only: the way back is the copy that is taken before a migration.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// SQLite gives the migrations of the embedded store.
func SQLite() (fs.FS, error) { return fs.Sub(files, "sqlite") }

// Postgres gives the migrations of the store on PostgreSQL.
func Postgres() (fs.FS, error) { return fs.Sub(files, "postgres") }
