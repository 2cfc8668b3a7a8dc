package testkit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// stop asks the program to end and kills it, with a failure of the test, when it does not.
func (p *process) stop(how syscall.Signal) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return
	}
	p.signal(syscall.SIGCONT) // a paused one would not hear
	_ = p.cmd.Process.Signal(how)
	if !await(patience, func() bool { return !p.running() }) {
		p.t.Errorf("%s does not stop\n%s", p.argv[0], p.log())
		p.killAll()
	}
}

// kill ends the program and its children at once, as a crash would, and returns when they are gone.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		p.killAll()
	}
}

func (p *process) killAll() {
	_ = p.cmd.Process.Signal(syscall.SIGSTOP) // from here on it makes no new children
	children := p.children()
	_ = p.cmd.Process.Kill()
	<-p.ended
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if !await(patience, func() bool { return !anyAlive(children) }) {
		p.t.Errorf("the children %v of %s do not end", children, p.argv[0])
	}
}

// pause freezes the program and its children: connections stay open and nothing answers.
func (p *process) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		p.signal(syscall.SIGSTOP)
	}
}

// resume ends a pause.
func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		p.signal(syscall.SIGCONT)
	}
}

func (p *process) signal(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig)
	for _, pid := range p.children() {
		_ = syscall.Kill(pid, sig)
	}
}

// PID gives the process of the running server, for those who measure it.
func (p *process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

func (p *process) children() []int {
	pid := strconv.Itoa(p.cmd.Process.Pid)
	text, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	if err != nil {
		return nil
	}
	var out []int
	for field := range strings.FieldsSeq(string(text)) {
		if child, err := strconv.Atoi(field); err == nil {
			out = append(out, child)
		}
	}
	return out
}

// anyAlive reports whether one of the processes still runs; one that waits to be collected by its parent does not.
func anyAlive(pids []int) bool {
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		if _, rest, ok := bytes.Cut(stat, []byte(") ")); ok && len(rest) > 0 && rest[0] != 'Z' && rest[0] != 'X' {
			return true
		}
	}
	return false
}
