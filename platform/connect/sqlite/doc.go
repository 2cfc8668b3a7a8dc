// Package sqlite opens SQLite files and guards the data directory they lie in.
//
// Principles:
//  1. One writing connection per file, so that nobody waits for a lock inside SQLite; readers have their own pool
//     and never block the writer (WAL).
//  2. A commit is on the disk when it returns (synchronous FULL), unless the opener says otherwise.
//  3. Native result codes are translated to fault codes in one place, Fault.
//  4. Nothing else opens a database file: closing any descriptor of it drops SQLite's own POSIX locks.
package sqlite
