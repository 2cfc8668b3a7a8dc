// Package tlsconf makes the TLS configurations of clients and of the process's own listeners from files, and follows the files.
//
// Principles:
//  1. Servers are always verified, by the authorities of a file or else the system's, and by name; TLS 1.2 at least.
//  2. A configuration is read whole and swapped whole: a connection sees the old files or the new ones, never a mixture, and asking
//     takes no lock.
//  3. Files that do not fit replace nothing: the last good ones stay in force, and health and log say so.
//  4. A listener makes handshakes in the goroutine of the connection, never in that which accepts.
//  5. A file is looked at by its content, so that every way of replacing it is noticed, also the symbolic links of Kubernetes.
package tlsconf
