package event

import "unsafe"

// viewString gives b's bytes as a string without copying; b must never be written again.
func viewString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
