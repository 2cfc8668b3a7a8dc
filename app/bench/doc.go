// Package bench measures the product as it is run: the real binary, senders in processes of their own, a sink.
//
// Principles:
//  1. What a sender counts is what was acknowledged; loss is counted at the audit and at the sink. A benchmark that
//     sees a loss fails.
//  2. A peer or floor is measured in the same run, so that a ratio survives a noisy machine.
//  3. MUTT_BENCH=full gives the figures of docs/performance.md ('make bench'); without it every benchmark runs small,
//     so that CI sees that it still works.
package bench
