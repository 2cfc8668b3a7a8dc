// Package vault speaks to HashiCorp Vault and what is compatible with it: as a provider of secrets, and as the operator that sets it up.
//
// Principles:
//  1. The client library stands behind this package alone. Only its generic reads and writes are used; its typed calls
//     fail to decode some answers. It repeats nothing by itself: who asks knows how long to wait.
//  2. An error is a fault in the operator's words, without a token, a secret or an address. Statuses are matched, never texts.
//  3. A process logs in as its AppRole and reads one path. Its token is renewed while that helps; when the lease shrinks toward its
//     maximum, or Vault refuses the token, it logs in anew with what the secret-id file holds then.
//  4. What an operator does needs an operator's token, which is passed to each call and kept nowhere.
package vault
