// Package testkit runs real Redis, PostgreSQL, PgBouncer and Vault servers, and the relays rsyslog and syslog-ng, for tests. Only tests import it.
//
// Principles:
//  1. A server is private: a free port of 127.0.0.1, a temporary directory, passwords of its own. Servers that run already are
//     never touched, and 5432 and 6379 are never used.
//  2. A server ends with its test, and also when the test process is killed: a guard waits for the end of a pipe that
//     only the test process holds, kills the server and removes its directory.
//  3. A missing server program fails the test when MUTT_TEST_REQUIRE=1 and skips it otherwise. Nobody else skips.
//  4. Kill is a crash of the server, not of the machine: what it wrote with write(2) survives without fsync. PostgreSQL
//     therefore runs with fsync off unless asked, and loses nothing by Kill; a power cut of Redis is played by CutAOF.
//  5. Starting is dear, so a test package shares one server between the subtests of a top-level test, and each takes its own
//     database (NewDatabase) or key prefix.
package testkit
