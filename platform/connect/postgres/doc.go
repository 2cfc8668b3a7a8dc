// Package postgres opens pools of connections to PostgreSQL.
//
// Principles:
//  1. The credential is chosen for each new connection. While more than one is offered (a rotation is under way) each is tried on
//     a connection of its own first, so that a rotation fails no call; with one credential a connection is made once.
//  2. A connection that the server closed is seen before it is used: after a restart the first call gets a fresh one.
//     A call that was under way when the connection broke fails, because only the caller knows whether it may run twice.
//  3. Connecting is bounded here; a call is bounded by its context, so every call needs one with a deadline.
//     A session that forgot its transaction is ended by the server.
//  4. Statements are prepared once per connection and cached (pgx's default), which needs a direct connection or a pooler that
//     lends connections for a whole session. Open refuses any other pooler (pooler.go). What libpq's environment variables and files say does not count.
//  5. Native errors are translated to fault codes in one place, Fault.
package postgres
