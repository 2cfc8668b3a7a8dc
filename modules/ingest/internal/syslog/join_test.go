package syslog

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/netguard/netguardtest"
)

// framed is a frame, or what became of one.
type framed struct {
	text    string
	counted bool
}

// joined reads a stream as a connection does, with or without joining.
func joined(r io.Reader, maxMessage int, join bool) (got []framed) {
	f, j := newFramer(maxMessage), &joiner{max: maxMessage}
	var lines []Line
	for {
		err := f.fill(r)
		for {
			text, truncated, ok := f.next(err != nil)
			if !ok {
				break
			}
			if !join {
				got = append(got, framed{string(text), f.counted})
				continue
			}
			lines = j.add(lines, Line{Text: text, Truncated: truncated}, f.counted)
		}
		if err != nil {
			lines = j.flush(lines)
		}
		for _, l := range lines {
			got = append(got, framed{text: string(l.Text)})
		}
		lines = lines[:0]
		if j.keep(); err != nil {
			return got
		}
	}
}

var beginsWithPRI = regexp.MustCompile(`^\x{feff}?<([0-9]|[0-9]{2}|[01][0-9]{2})>`)

// joinByHand is the oracle: from whole frames, by regular expression.
func joinByHand(frames []framed, maxMessage int) (want []string) {
	last := framed{counted: true} // nothing to continue
	for _, f := range frames {
		signed := beginsWithPRI.MatchString(f.text)
		continues := !f.counted && !last.counted && !signed && (beginsWithPRI.MatchString(last.text) || strings.ContainsAny(f.text[:1], " \t"))
		if n := len(want); continues && len(want[n-1])+1+len(f.text) <= maxMessage {
			want[n-1] += "\n" + f.text
			continue
		}
		want = append(want, f.text)
		if last = f; len(f.text) == maxMessage { // cut: nothing fits
			last.counted = true
		}
	}
	return want
}

func texts(frames []framed) (texts []string) {
	for _, f := range frames {
		texts = append(texts, f.text)
	}
	return texts
}

// TestJoinedFramesComeOutWhole is TestFramesComeOutWhole with joining: what comes out are the frames, put together.
func TestJoinedFramesComeOutWhole(t *testing.T) {
	t.Parallel()
	seed := setting(t, "MUTT_TEST_SEED", rand.Uint64N(1<<40))
	s := &sequence{}
	for i := range setting(t, "MUTT_TEST_FRAMES", 5_000) {
		r := rand.New(rand.NewPCG(seed+i, 0))
		s.generate(r)
		whole := joined(bytes.NewReader(s.stream), sequenceMax, false)
		s.at, s.i = 0, 0
		if d := cmp.Diff(joinByHand(whole, sequenceMax), texts(joined(s, sequenceMax, true))); d != "" {
			t.Fatalf("MUTT_TEST_SEED=%d MUTT_TEST_FRAMES=1: stream %q in reads of %v: %s", seed+i, s.stream, s.sizes, d)
		}
	}
}

// FuzzJoin: joining changes nothing but the borders between messages, whatever the bytes and however they are read.
func FuzzJoin(f *testing.F) {
	for _, s := range []string{"<11>D t6-1 app: Traceback\n  at one\n  at two\n<11>D t6-1 app: next\n", "x\n\ty\n<1>a\nb\n5 <1>ab\n c\n", "<13>a\x00b\n\ufeff<13>c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		const maxMessage = 40
		frames := texts(joined(bytes.NewReader(stream), maxMessage, false))
		got := texts(joined(iotest.OneByteReader(bytes.NewReader(stream)), maxMessage, true))
		if all := strings.Join(frames, "\n"); strings.Join(got, "\n") != all {
			t.Fatalf("%q: %q became %q", stream, frames, got)
		}
		for _, message := range got {
			if len(message) > maxMessage {
				t.Fatalf("%q is longer than a message may be", message)
			}
		}
	})
}

func TestTCPJoinsLines(t *testing.T) {
	t.Parallel()
	const trace = "<11>Nov  5 10:00:00 t6-1 app: Traceback\n  at one\nValueError: x\n\tat two\n<11>Nov  5 10:00:00 t6-1 app: next\n"
	for _, c := range []struct {
		stream string
		want   []string // host, then message
	}{
		{trace, []string{"t6-1 Traceback\n  at one\nValueError: x\n\tat two", "t6-1 next"}},
		{"no header\n  indented\nother\n", []string{"127.0.0.1 no header\n  indented", "127.0.0.1 other"}},
		{"30 <11>Nov  5 10:00:00 c app: one\n  at one\n<11>Nov  5 10:00:00 l app: two", []string{"c one", "127.0.0.1   at one", "l two"}},
		{"<11>Nov  5 10:00:00 long app: " + strings.Repeat("x", 420) + "\n" + strings.Repeat(" y", 20) + "\n" + " z\n",
			[]string{"long " + strings.Repeat("x", 420), "127.0.0.1 " + strings.Repeat(" y", 20) + "\n z"}},
	} {
		b := setup(t, Config{TCPAddr: local, JoinLines: true, MaxMessageBytes: 480})
		conn := dial(t, b.tcpAddr())
		send(t, conn, c.stream)
		conn.(*net.TCPConn).CloseWrite()
		var got []string
		for _, e := range b.sink.wait(t, len(c.want)) {
			got = append(got, e.Hostname+" "+e.Message)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Error(d)
		}
	}
	b := setup(t, Config{TCPAddr: local})
	send(t, dial(t, b.tcpAddr()), trace)
	if n := len(b.sink.wait(t, 5)); n != 5 {
		t.Errorf("%d events without the setting", n)
	}
}

// TestTCPHeldMessages: silence completes a message, and so does Stop; a peer that goes on and on does not hold it back.
func TestTCPHeldMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := complete(Config{JoinLines: true})
		sink := newMemSink()
		server, err := New(cfg, quiet(t, sink))
		if err != nil {
			t.Fatal(err)
		}
		s := &tcpServer{listener: nowhere{}, cfg: &cfg, metrics: server.metrics, rate: netguardtest.New(t, nil).NewRate(anyRate),
			conns: map[net.Conn]struct{}{}, closing: make(chan struct{}),
			newFeed: func(f failing) *feed { return server.newFeed(&server.metrics.tcp, f) }}
		peer, conn := net.Pipe()
		defer peer.Close()
		s.add(conn)
		go s.serve(t.Context(), conn)
		write := func(text string) {
			t.Helper()
			if _, err := io.WriteString(peer, text); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(n int, last string) {
			t.Helper()
			synctest.Wait()
			all := sink.all()
			if len(all) != n || n > 0 && all[n-1].Message != last {
				t.Errorf("%d events, %q, want %d and %q", len(all), messages(all), n, last)
			}
		}
		write("<11>app: one\n")
		time.Sleep(joinWait - time.Millisecond)
		expect(0, "")
		write(" at a\n at")
		time.Sleep(joinWait - time.Millisecond)
		expect(0, "")
		time.Sleep(2 * time.Millisecond)
		expect(1, "one\n at a")
		write(" b\n") // too late
		time.Sleep(joinWait + time.Millisecond)
		expect(2, " at b")
		write("<11>app: two\n")
		began := time.Now()
		for range 2 * joinHold / joinWait {
			time.Sleep(joinWait - time.Millisecond)
			write(" on\n")
			if synctest.Wait(); len(sink.all()) > 2 {
				break
			}
		}
		if took := time.Since(began); took > joinHold+joinWait {
			t.Errorf("a message was held back for %v", took)
		}
		time.Sleep(joinWait + time.Millisecond)
		before := len(sink.all())
		write("<11>app: three\n at c\n")
		s.stop()
		s.wg.Wait()
		expect(before+1, "three\n at c")
	})
}

// nowhere is a listener without connections.
type nowhere struct{ net.Listener }

func (nowhere) Close() error { return nil }
