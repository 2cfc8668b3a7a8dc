package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/testkit"
)

// desk is what a reader of the docs has before them: a terminal, mutt on the PATH, an embedded MUTT that runs, or one
// on the servers of a site with Vault, and what else the document speaks of.
type desk struct {
	t       *testing.T
	dir     string
	env     []string
	words   *strings.Replacer // from the ports and passwords of the text to those of the test
	process *process
}

// newDesk makes the desk for the text of a document.
func newDesk(t *testing.T, text string) *desk {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	settings := []string{"INGEST_API_KEY=", "WEBUI_API_KEY="}
	var v *vault
	if strings.Contains(text, vaultAddr) {
		v = newVault(t, dir)
		settings = append(settings, v.settings()...)
	}
	s := newSite(t, dir, apptest.NewDestination(t).URL, settings...)
	source, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, dir: filepath.Join(dir, "work")}
	bin := filepath.Join(dir, "bin")
	for _, sub := range []string{d.dir, bin} {
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(bin, "mutt"), []byte(wrapper(binary(t), s)), 0o700); err != nil {
		t.Fatal(err)
	}
	words := s.words()
	if strings.Contains(text, "DB_HOST=127.0.0.1") {
		words = append(words, serversOf(t, bin)...)
	}
	if v != nil {
		words = append(words, v.words()...)
		v.prepare(t, s)
	}
	d.words = strings.NewReplacer(append(words, portsOf(t, text)...)...)
	d.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "MUTT_DATA_DIR=" + s.dir, "MUTT_SOURCE=" + source, "MUTT_SERVER=http://" + s.admin}
	d.process = serve(t, s)
	d.process.ready()
	t.Cleanup(d.clear)
	return d
}

// words gives the addresses of the text, each followed by that of the site.
func (s *site) words() []string {
	return []string{
		"127.0.0.1:8080", s.ingest, "127.0.0.1:8090", s.admin, "127.0.0.1:8081", s.ops,
		"127.0.0.1:5514", s.tcp, "-P 5514", "-P " + s.tcp[strings.LastIndex(s.tcp, ":")+1:]}
}

// serversOf runs a Redis and a PostgreSQL with the role and the database of the documents, and returns what a document says of them, each
// followed by what is true. It puts a sudo into bin that does nothing but run psql as the superuser of that PostgreSQL.
func serversOf(t *testing.T, bin string) []string {
	t.Helper()
	tool(t, "redis-cli")
	tool(t, "psql")
	s := apptest.NewServers(t, "everysec")
	s.Postgres.SQL("postgres", "ALTER DATABASE "+s.Database+" RENAME TO mutt")
	env := s.Env()
	sudo := fmt.Sprintf("#!/bin/bash\n[ \"$1 $2 $3\" = '-u postgres psql' ] || exit 1\nPGPASSWORD=%s exec psql -v ON_ERROR_STOP=1 -h %s -p %s -U postgres \"${@:4}\"\n",
		env["DB_PASS"], env["DB_HOST"], env["DB_PORT"])
	if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte(sudo), 0o700); err != nil {
		t.Fatal(err)
	}
	return []string{
		"redis-password", env["REDIS_PASS"], "postgres-password", env["DB_PASS"],
		"REDIS_PORT=6379", "REDIS_PORT=" + env["REDIS_PORT"], "port: 6379", "port: " + env["REDIS_PORT"],
		"DB_PORT=5432", "DB_PORT=" + env["DB_PORT"], "port: 5432", "port: " + env["DB_PORT"],
	}
}

var local = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// portsOf gives each local address that a text names followed by one with a free port.
func portsOf(t *testing.T, text string) (words []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, addr := range local.FindAllString(text, -1) {
		if seen[addr] {
			continue
		}
		seen[addr] = true
		words = append(words, addr, "127.0.0.1:"+strconv.Itoa(testkit.FreePort(t)))
	}
	return words
}

// run runs a script at the desk.
func (d *desk) run(script string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), "bash", "-euo", "pipefail", "-c", d.words.Replace(script))
	cmd.Dir, cmd.Env = d.dir, d.env
	cmd.WaitDelay = time.Second // what runs on in the background must not hold the output
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%v after\n%s\n%s", err, out, d.logs())
	}
	d.process.stop()
}

// logs gives the ends of the logs that the script's processes wrote.
func (d *desk) logs() string {
	var out strings.Builder
	names, _ := filepath.Glob(filepath.Join(d.dir, "*.log")) // the pattern is a good one
	for _, name := range names {
		fmt.Fprintf(&out, "--- %s\n%s\n", filepath.Base(name), (&site{logFile: name}).tail())
	}
	return out.String()
}

// clear ends every process that was started at the desk and is still there, by the directory that it works in.
func (d *desk) clear() {
	apptest.Eventually(d.t, "the processes of the document have ended", func() (bool, any) {
		left := 0
		dirs, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is a good one
		for _, dir := range dirs {
			if at, err := os.Readlink(dir); err != nil || at != d.dir {
				continue
			}
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(dir))); err == nil {
				left++
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
			}
		}
		return left == 0, left
	})
}

// wrapper is a mutt whose send goes to the test's ports where the text leaves the standard ones out.
func wrapper(binary string, s *site) string {
	return fmt.Sprintf(`#!/bin/bash
case " $* " in
*" --target "*) ;;
" send "*syslog*) set -- "$@" --target %[2]s ;;
" send "*) set -- "$@" --target http://%[3]s ;;
esac
exec %[1]s "$@"
`, binary, s.tcp, s.ingest)
}
