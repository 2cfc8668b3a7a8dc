package coord

// Held counts what a Local keeps, for tests.
func Held(l *Local) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.values) + len(l.tats)
}
