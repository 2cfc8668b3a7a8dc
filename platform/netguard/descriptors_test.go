//go:build unix

package netguard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// descriptorsEnv has the test binary play the process that runs out of descriptors.
const descriptorsEnv = "MUTT_TEST_OUT_OF_DESCRIPTORS"

// TestOutOfDescriptors: a process without a free file descriptor lives on, says so, and serves again when there are some.
func TestOutOfDescriptors(t *testing.T) {
	if os.Getenv(descriptorsEnv) != "" {
		echoWithoutDescriptors(t)
		return
	}
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOutOfDescriptors$")
	child.Env = append(os.Environ(), descriptorsEnv+"=1")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	expect := func(prefix string) string {
		t.Helper()
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				return rest
			}
			t.Log(lines.Text())
		}
		t.Fatalf("the process ended before it said %q", prefix)
		return ""
	}
	conn, err := net.Dial("tcp", expect("listening "))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	expect("failing")
	io.WriteString(in, "go on\n")
	io.WriteString(conn, "served\n")
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if got, err := bufio.NewReader(conn).ReadString('\n'); err != nil || got != "served\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got := expect("warnings "); !strings.Contains(got, "file descriptors or memory have run out") {
		t.Error(got)
	}
	in.Close()
	conn.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

// echoWithoutDescriptors serves a listener while files take all descriptors, until a line comes from the parent.
func echoWithoutDescriptors(t *testing.T) {
	limit := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(t, nil)
	if g.Limits().Connections != 48 {
		t.Errorf("%d connections with 64 descriptors", g.Limits().Connections)
	}
	d := g.HTTPDoor("ingest")
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	guarded, served := d.Wrap(l), make(chan error)
	go func() {
		conn, err := guarded.Accept()
		if err == nil {
			_, err = io.Copy(conn, conn)
			conn.Close()
		}
		served <- err
	}()
	fmt.Println("listening " + l.Addr().String())
	for testutil.ToFloat64(d.failures) < 4 {
		<-time.After(time.Millisecond)
	}
	fmt.Println("failing")
	bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Println("warnings " + strings.Join(g.board.Warnings(), "; "))
	for _, f := range files {
		f.Close()
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	guarded.Close()
}
