// Package acceptance tests MUTT from outside, in the words of its users: an event is sent, an alert is expected, an
// audit row is expected, the books balance.
//
// Principles:
//  1. What is tested is the whole product with real parts: real sockets, real SQLite files, real senders.
//  2. Order and content are asserted, not durations; deadlines are generous.
//  3. A tool that is missing (logger, rsyslogd, curl) fails the test when MUTT_TEST_REQUIRE=1, as in make test and CI.
package acceptance
