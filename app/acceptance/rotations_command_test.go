package acceptance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/rotation"
)

// errKilled says that a command was ended by kill -9.
var errKilled = errors.New("it was killed")

// rotator is an operator who rotates with the command that users have.
type rotator struct {
	binary string
	env    []string
}

// newRotator gives one who works on the MUTT with this admin URL.
func newRotator(t *testing.T, v *apptest.Vaulted, admin string) *rotator {
	t.Helper()
	r := &rotator{binary: binary(t), env: []string{"PATH=" + os.Getenv("PATH"), "USER=anna", "MUTT_SERVER=" + admin}}
	for name, value := range v.OperatorEnv() {
		r.env = append(r.env, name+"="+value)
	}
	return r
}

// run rotates once and gives what the command said. The command is killed when kill, which may be nil, says so of a line.
func (r *rotator) run(t *testing.T, subject rotation.Subject, kill func(rotate.Progress) bool) (said []rotate.Progress, err error) {
	t.Helper()
	var complaint bytes.Buffer
	cmd := exec.CommandContext(t.Context(), r.binary, "secrets", "rotate", string(subject), "-o", "json", "--reason", "test", "--wait", "2m")
	cmd.Env, cmd.Stderr = r.env, &complaint
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var p rotate.Progress
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Errorf("the command said %s: %v", lines.Bytes(), err)
		}
		said = append(said, p)
		if kill != nil && kill(p) {
			_ = cmd.Process.Kill() // it may have ended
		}
	}
	err = errors.Join(lines.Err(), cmd.Wait())
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
		return said, errKilled
	}
	if err != nil {
		err = fmt.Errorf("mutt secrets rotate %s: %w\n%s", subject, err, complaint.Bytes())
	}
	return said, err
}

// passwordOf gives the password that Vault has as the current one.
func passwordOf(v *apptest.Vaulted, subject rotation.Subject) string {
	name, _ := subject.Keys()
	text, _ := v.Values("")[name].(string)
	return text
}

// rotated holds that the new password is in force and the old one is not, in Vault and at the server.
func rotated(t *testing.T, v *apptest.Vaulted, subject rotation.Subject, old string) {
	t.Helper()
	_, nextName := subject.Keys()
	now, next := passwordOf(v, subject), v.Values("")[nextName]
	if now == old || next != nil {
		t.Errorf("Vault has the old password of %s, or still a next one", subject)
	}
	if v.Accepts(t, subject, old) {
		t.Errorf("%s still accepts the old password", subject)
	}
	if !v.Accepts(t, subject, now) {
		t.Errorf("%s does not accept the new password", subject)
	}
}
