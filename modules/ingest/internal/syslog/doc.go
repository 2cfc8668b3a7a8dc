// Package syslog takes syslog messages in over UDP and TCP: framing, parsing, and hand-over to the ingest queue.
//
// Principles:
//  1. No line is refused. What neither RFC 5424 nor RFC 3164 explains is kept whole as the message, with the peer
//     as hostname, and counted as "raw". No byte of a message is lost in parsing.
//  2. A TCP connection is read on only after what it sent is durable: back-pressure is TCP's own. A datagram cannot
//     be told to wait, so it waits here for a bounded time and is then dropped and counted by its cause.
//  3. What waits is bounded in bytes: per socket a fixed backlog, per connection one buffer.
//  4. Frames depend on the bytes alone, never on how they were cut into reads or on what the connection sent before.
//     Bytes that belong to no message cost nothing after them; they are counted.
//     With Config.JoinLines the last line of a connection is held until it is known to be complete; nothing that was read is lost.
//  5. An event's strings view the read buffer; a Batch copies what it keeps. Nothing is allocated per message.
//  6. Contents of messages are never logged.
//
// Over-long messages are cut at Config.MaxMessageBytes, marked with "truncated":true in their fields and counted:
// a piece without a header would be taken for the message of another host.
//
// Timestamps outside 2000-01-01..now+24 h, and those that name no real time, are replaced by the time of receipt;
// their text is kept in the fields as "original_timestamp".
package syslog
