package testkit

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	patience  = 30 * time.Second // what a server may need to start or stop on a busy machine
	pollEvery = 5 * time.Millisecond
	logTail   = 4 << 10 // bytes of a server's log that a failure shows
)

// guard becomes the server, after leaving behind a watcher that is nobody's child (PostgreSQL looks at its children). The watcher
// reads the pipe: a line means that the server ended in order, the end of the pipe that the test process died.
const guard = `
server=$$
( (
	trap '' HUP INT TERM # the kernel hangs up a group whose parent died while a member was frozen
	read -r _ <&3 && exit 0
	children=$(cat /proc/$server/task/$server/children 2>/dev/null)
	kill -CONT $server $children
	kill -QUIT $server
	for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $server || break; sleep 0.1; done
	kill -KILL $server $children
	rm -rf -- "$1"
) >/dev/null 2>&1 & )
shift
exec "$@" 3<&-
`

// process is a server's program that can be started again and again in one directory.
type process struct {
	t     testing.TB
	dir   string // removed with the test
	owner *owner
	argv  []string
	ready func() error // nil once the server answers

	mu    sync.Mutex // held through each of start, stop, kill, pause and resume
	cmd   *exec.Cmd
	pipe  *os.File      // its end tells the guard that this process died
	ended chan struct{} // closed when the program has ended
}

// newDir makes the directory of a server, owned by the user that it runs under.
func newDir(t testing.TB, kind string, o *owner) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mutt-"+kind+"-")
	if err != nil {
		t.Fatalf("make the directory of a %s server: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the directory of a %s server: %v", kind, err)
		}
	})
	o.give(t, dir)
	return dir
}

// start runs the program and waits until it answers.
func (p *process) start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return
	}
	if err := p.run(); err != nil {
		p.t.Fatalf("start %s: %v", p.argv[0], err)
	}
	var last error
	up := await(patience, func() bool {
		if !p.running() {
			last = errors.New("it ended")
			return true
		}
		last = p.ready()
		return last == nil
	})
	if !up || last != nil {
		p.t.Fatalf("%s does not answer: %v\n%s", p.argv[0], last, p.log())
	}
}

func (p *process) run() error {
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", guard, "guard", p.dir}, p.argv...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = p.dir, log, log, []*os.File{r}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.owner.credential()} // Ctrl-C is for the test, not for the server
	if err := cmd.Start(); err != nil {
		return errors.Join(err, w.Close())
	}
	ended := make(chan struct{})
	p.cmd, p.pipe, p.ended = cmd, w, ended
	go func() {
		_ = cmd.Wait() // how it ended does not matter: a test that kills it gets what it wanted
		_, _ = w.WriteString("ended\n")
		_ = w.Close()
		close(ended)
	}()
	return nil
}

func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) logFile() string { return filepath.Join(p.dir, "log") }

// log gives the end of what the program wrote.
func (p *process) log() string {
	text, err := os.ReadFile(p.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

// await polls until the condition holds and reports whether it did in time.
func await(limit time.Duration, holds func() bool) bool {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); ; <-tick.C {
		if holds() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
