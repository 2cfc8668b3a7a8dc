package httpin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/modules/ingest/internal/decode"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

func TestContentTypes(t *testing.T) {
	t.Parallel()
	const bad = decode.Format(99)
	for text, want := range map[string]decode.Format{
		"":                                   decode.JSON,
		"application/json":                   decode.JSON,
		"Application/JSON":                   decode.JSON,
		"application/json;charset=\"utf-8\"": decode.JSON,
		"application/json; charset=US-ASCII": decode.JSON,
		"application/json; v=1":              decode.JSON,
		"application/x-ndjson":               decode.NDJSON,
		"application/x-ndjson; charset=utf8": decode.NDJSON,
		"application/ndjson":                 decode.NDJSON,
		"text/plain":                         bad,
		"text/json":                          bad,
		"application/json; charset=latin1":   bad,
		"application/xml":                    bad,
		"application/":                       bad,
		"; ;":                                bad,
		"application/json; =":                bad,
	} {
		got, err := formatOf(http.Header{"Content-Type": {text}})
		if want == bad {
			if !fault.Is(err, fault.UnsupportedType) {
				t.Errorf("%q: got %v, %v", text, got, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

// TestKeysAgreeWithTheLibrary compares the UUIDv5 made here with google/uuid's.
func TestKeysAgreeWithTheLibrary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		space := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "space"))
		name := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "name")
		got := nameUUID(space, name)
		if want := uuid.NewSHA1(space, name); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		var k keys
		if text := k.textOf(got); text != got.String() {
			t.Fatalf("got %s, want %s", text, got)
		}
	})
}

func TestKeysAreScoped(t *testing.T) {
	t.Parallel()
	seen := map[[16]byte]string{}
	for _, identity := range []string{"key:a", "key:b"} {
		for _, header := range [][]string{{"k"}, {"l"}, {uuid.NameSpaceDNS.String()}} {
			k, err := newKeys(identity, header)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				e := &event.Event{}
				key := *k.of(e, i)
				name := identity + " " + header[0] + " " + strconv.Itoa(i)
				if other, double := seen[key]; double {
					t.Errorf("%s and %s share a key", name, other)
				}
				seen[key] = name
				again := event.Event{SenderID: e.SenderID}
				if *k.of(&again, 99) != key {
					t.Errorf("%s: the sender's id alone decides", name)
				}
			}
		}
		k, err := newKeys(identity, nil)
		if err != nil || k.of(&event.Event{}, 0) != nil {
			t.Errorf("a key out of nothing: %v", err)
		}
	}
	for _, header := range [][]string{{""}, {"a b"}, {"a", "b"}, {strings.Repeat("k", 129)}, {"\x00"}} {
		if _, err := newKeys("key:a", header); !fault.Is(err, fault.InvalidField) {
			t.Errorf("%q: got %v", header, err)
		}
	}
}

// TestBodiesAreReadWhole: in whatever pieces and form a body comes, it is read to its last byte or refused.
func TestBodiesAreReadWhole(t *testing.T) {
	t.Parallel()
	const limit = 200_000 // with buffers that are counted, and kept for other bodies
	b := newBodyReader(limit, limit, 2*limit)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 2*limit), rapid.SampledFrom([]int{0, 1, firstBuffer - 1, firstBuffer, firstBuffer + 1, free - 1, free, free + 1, limit - 1, limit, limit + 1})).Draw(t, "n")
		whole := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		encoding := rapid.SampledFrom([]string{"", "identity", "gzip", "zstd"}).Draw(t, "encoding")
		sent := whole
		if encoding == "gzip" || encoding == "zstd" {
			sent = packed(t, encoding, bytes.NewReader(whole))
		}
		var r io.Reader = bytes.NewReader(sent)
		if rapid.Bool().Draw(t, "halves") {
			r = iotest.HalfReader(iotest.DataErrReader(r))
		}
		req := httptest.NewRequest(http.MethodPost, "/", r)
		req.ContentLength = rapid.SampledFrom([]int64{-1, int64(len(sent))}).Draw(t, "length")
		req.Header.Set("Content-Encoding", encoding)
		start := make([]byte, 0, rapid.SampledFrom([]int{0, 1, 100, free}).Draw(t, "buffer"))
		in := body{received: buffer{start: start}}
		got, err := b.read(httptest.NewRecorder(), req, "key:one", &in)
		defer func() {
			if b.release(&in); len(b.memory.holds) > 0 || in.hold.bytes != 0 || counted(in.received.bytes)+counted(in.decoded.bytes) != 0 {
				t.Fatalf("%d bytes as %q: %d are still held", n, encoding, in.hold.bytes)
			}
		}()
		if n > limit {
			if !fault.Is(err, fault.TooLarge) {
				t.Fatalf("%d bytes: got %v", n, err)
			}
			return
		}
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("%d bytes as %q: got %d, %v", n, encoding, len(got), err)
		}
	})
}

func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	lost := io.MultiReader(strings.NewReader(good("h", "")), iotest.ErrReader(errors.New("connection reset by 10.1.2.3")))
	rec := r.post(t, lost)
	if rec.Code != 400 || strings.Contains(rec.Body.String(), "10.1.2.3") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	if n := len(r.stored(t)); n != 0 {
		t.Errorf("%d events of a broken connection were stored", n)
	}
}

func TestItemErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want apiclient.EventError
	}{
		{fault.Field(fault.InvalidField, "events[12].variables[3]", "is odd"), apiclient.EventError{Index: 12, Message: "variables[3]: is odd", Field: "events[12].variables[3]", Retryable: false}},
		{fault.Field(fault.BadRequest, "events[12]", "is odd"), apiclient.EventError{Index: 12, Message: "is odd", Field: "events[12]", Retryable: false}},
		{fault.New(fault.QueueFull, "full").WithRetryAfter(1), apiclient.EventError{Index: 12, Message: "full", Field: "", Retryable: true}},
		{fault.Wrap(fault.TooLarge, errors.New("secret"), "large"), apiclient.EventError{Index: 12, Message: "large", Field: "", Retryable: false}},
		{errors.New("dial 10.1.2.3"), apiclient.EventError{Index: 12, Message: "a fault inside MUTT", Field: "", Retryable: true}},
	} {
		if got := newItemError(12, c.err); got != c.want {
			t.Errorf("%v: got %+v", c.err, got)
		}
	}
}
