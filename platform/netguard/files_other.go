//go:build !unix

package netguard

// fileLimit returns 0: there is no such limit.
func fileLimit() int { return 0 }
