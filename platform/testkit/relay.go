package testkit

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// SyslogRelay is a running rsyslog or syslog-ng.
type SyslogRelay struct {
	Port int    // of 127.0.0.1, for what its configuration listens on
	Dir  string // of its own files

	process
}

// Addr returns the address that the relay listens on.
func (r *SyslogRelay) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Port)) }

// Rsyslog runs an rsyslogd until the test ends. config returns its configuration, which must listen on the relay's port by TCP.
func Rsyslog(t testing.TB, config func(r *SyslogRelay) string) *SyslogRelay {
	t.Helper()
	binary := Binary(t, "rsyslogd", "rsyslog")
	return relay(t, "rsyslog", config, func(dir, conf string) []string {
		return []string{binary, "-n", "-f", conf, "-i", filepath.Join(dir, "pid")}
	})
}

// SyslogNG runs a syslog-ng until the test ends, which .ci/install unpacked because its package excludes rsyslog's.
func SyslogNG(t testing.TB, config func(r *SyslogRelay) string) *SyslogRelay {
	t.Helper()
	root, modules := syslogNG(t)
	return relay(t, "syslog-ng", config, func(dir, conf string) []string {
		in := func(name string) string { return filepath.Join(dir, name) }
		return []string{"/usr/bin/env", "LD_LIBRARY_PATH=" + filepath.Dir(modules), filepath.Join(root, "usr/sbin/syslog-ng"), "--foreground", "--no-caps",
			"--stderr", "--module-path", modules, "--cfgfile", conf, "--persist-file", in("persist"), "--control", in("control"), "--pidfile", in("pid")}
	})
}

// syslogNG finds where syslog-ng was unpacked, and its modules, which are below its libraries.
func syslogNG(t testing.TB) (root, modules string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	root = filepath.Join(cacheDir(t, cache), "syslog-ng")
	found, err := filepath.Glob(filepath.Join(root, "usr/lib/syslog-ng/*/libhttp.so"))
	if err == nil && len(found) > 0 {
		return root, filepath.Dir(found[0])
	}
	say := t.Skipf
	if os.Getenv("MUTT_TEST_REQUIRE") == "1" {
		say = t.Fatalf
	}
	say("syslog-ng is missing in %s: run .ci/install", root)
	return "", ""
}

func relay(t testing.TB, kind string, config func(r *SyslogRelay) string, argv func(dir, conf string) []string) *SyslogRelay {
	t.Helper()
	own := &owner{}
	dir := newDir(t, kind, own)
	r := &SyslogRelay{Port: FreePort(t), Dir: dir}
	conf := filepath.Join(dir, kind+".conf")
	own.write(t, conf, config(r))
	r.process = process{t: t, dir: dir, owner: own, argv: argv(dir, conf), ready: r.answers}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of %s on port %d:\n%s", kind, r.Port, r.log())
		}
		r.kill()
	})
	r.start()
	if problem := configProblem(r.log()); problem != "" {
		t.Fatalf("%s has a problem with its configuration: %s", kind, problem)
	}
	return r
}

// configProblem returns the line of a log that says that a part of the configuration is not used. Both programs run on then.
func configProblem(log string) string {
	for line := range strings.Lines(log) {
		for _, word := range []string{"error", "warning", "not known", "could not"} {
			if strings.Contains(strings.ToLower(line), word) {
				return line
			}
		}
	}
	return ""
}

func (r *SyslogRelay) answers() error {
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		return fmt.Errorf("dial the relay: %w", err)
	}
	return conn.Close()
}
