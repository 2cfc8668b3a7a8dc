package testkit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// KeepNothing puts directories where the server writes its settings and users: it cannot keep a change any more, whoever it runs as.
func (s *RedisServer) KeepNothing() {
	s.t.Helper()
	for _, name := range []string{"redis.conf", "users.acl"} {
		path := filepath.Join(s.dir, name)
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.Mkdir(path, 0o700)
		}
		if err != nil {
			s.t.Fatalf("take Redis its files: %v", err)
		}
	}
}
