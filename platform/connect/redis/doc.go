// Package redis opens connections to Redis: one server, servers behind Sentinel, or a Cluster.
//
// Principles:
//  1. Each new connection authenticates itself, trying the credentials in order, before the client library sees it. A rotation
//     therefore fails no call, and the same code serves data servers and Sentinels.
//  2. The library repeats nothing by itself after an error of the network (DisableRetry): only the caller knows whether a command
//     may run twice, and a library that repeats reads until the context ends would hide that Redis is away.
//     MOVED and ASK of a Cluster are followed, as the command did not run.
//  3. A server that does not answer is noticed within 5 s, also by calls whose context has no deadline. Blocking commands
//     are the exception: they end with their context only, so they need one with a deadline.
//  4. Connections are read all the time (AlwaysPipelining), so that one that a restart closed is replaced before the next call
//     instead of failing it. Blocking commands have connections of their own. There is no client side cache.
//  5. Native errors are translated to fault codes in one place, Fault.
package redis
