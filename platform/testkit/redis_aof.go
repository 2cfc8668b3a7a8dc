package testkit

import (
	"os"
	"path/filepath"
)

// AOFSize gives the bytes of the append-only file that CutAOF would cut: its newest part.
func (s *RedisServer) AOFSize() int64 {
	s.t.Helper()
	info, err := os.Stat(s.aof())
	if err != nil {
		s.t.Fatalf("look at the append-only file: %v", err)
	}
	return info.Size()
}

// CutAOF removes n bytes from the end of the append-only file, as a power cut would that lost what was not yet on the disk.
// The server must be stopped; it starts with what is left.
func (s *RedisServer) CutAOF(n int64) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running() {
		s.t.Fatal("the append-only file can be cut only while Redis is stopped")
	}
	if err := os.Truncate(s.aof(), max(0, s.AOFSize()-n)); err != nil {
		s.t.Fatalf("cut the append-only file: %v", err)
	}
}

// aof gives the part of the append-only file that was written last; a rewrite begins a new one.
func (s *RedisServer) aof() string {
	s.t.Helper()
	parts, err := filepath.Glob(filepath.Join(s.dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(parts) == 0 {
		s.t.Fatalf("there is no append-only file (option AOF): %v", err)
	}
	newest, at := "", int64(-1)
	for _, part := range parts {
		if info, err := os.Stat(part); err == nil && info.ModTime().UnixNano() >= at {
			newest, at = part, info.ModTime().UnixNano()
		}
	}
	return newest
}
