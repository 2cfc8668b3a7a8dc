package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// seeds are bodies that reach most branches.
func seeds() []string {
	return []string{
		doc(""), "[" + doc("") + "]", doc("") + "\n" + doc(`,"severity":"err"`), `{}`, `[]`, ``, `[{}]`, `{"a":{}}`, `{"message":"\u0041\ud83d\ude00\ud800"}`,
		doc(`,"variables":["1.3=x",{"oid":"1","type":"t","value":null}]`), doc(`,"x":[1,{"y":[]}],"z":-0.5E+10`), `{"a":1,"a":2}`, `{"\u0061":1,"a":2}`,
		`{"hostname":"\xff","timestamp":1795428000,"message":"` + "\xff\x00" + `"}`, `{"a":tru}`, `{"a":01}`, `{"a":"` + "\x1f" + `"}`, `{"a":"\q"}`, `{"a":"\u00g0"}`,
		"\xef\xbb\xbf{}", strings.Repeat("[", 70), `{"timestamp":"Mar  1 00:00:00"}`, `{"a" : 1 , "b":"c\"}"} `, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":-}`, `{"a":1.}`, `{"a":1e}`,
		`[{"a":{"b":1,"b":2}},` + doc("") + `]`, `[1,[2,{"a":[]}],{}]`, `{"a":[1,]}`, `{"a":{"b":1,}}`, `{"a":[}]`, `{"a":{"b"}}`, `{"a":[{"b":1,"\u0062":2}]}`,
	}
}

// agree checks the value that a body begins with: where it ends against encoding/json, and of an object what the two readers
// find in it against each other and, for names that are there twice, against a plain walk over encoding/json's tokens.
func agree(t interface{ Fatalf(string, ...any) }, body []byte) {
	d := newDecoder()
	d.Reset(body, JSON)
	at := skip(d.body, 0)
	end, deepest, ok := d.nesting.pass(d.body, at)
	wantEnd, wantOK := firstValue(d.body)
	if deepest == maxPassed {
		return
	}
	if ok != wantOK || ok && end != wantEnd {
		t.Fatalf("%q: a value to %d (%v), encoding/json says to %d (%v)", d.body, end, ok, wantEnd, wantOK)
	}
	if !ok && (end < at || end > len(d.body)) {
		t.Fatalf("%q: the fault is said to be at %d", d.body, end)
	}
	if at == len(d.body) || d.body[at] != '{' {
		return
	}
	var fast document
	fastEnd, sure := fast.scan(d.body, at)
	if sure && (!ok || fastEnd != end || deepest != 1) {
		t.Fatalf("the scanner takes what is not a flat object: %q", body)
	}
	if !ok {
		return
	}
	if depth, twice := walk(d.body[at:end]); depth != deepest || twice != (d.slowObject(span{at, end}) != nil) {
		t.Fatalf("%q: nests %d (want %d), a name twice: %v", body, deepest, depth, twice)
	} else if twice {
		if sure {
			t.Fatalf("the scanner takes a name twice: %q", body)
		}
		return
	}
	if sure {
		if fast.seen != d.doc.seen || fast.known != d.doc.known {
			t.Fatalf("the two readers differ about %q: %+v %+v", body, fast, d.doc)
		}
		if len(fast.other) != len(d.doc.other) || len(fast.other) > 0 && !cmp.Equal(fast.other, d.doc.other, cmp.AllowUnexported(member{}, span{})) {
			t.Fatalf("the two readers differ about the unknown members of %q", body)
		}
	}
	compareTexts(t, d, d.body[at:end])
}

// firstValue finds the end of the JSON value that b begins with.
func firstValue(b []byte) (end int, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(b))
	var raw json.RawMessage
	err := dec.Decode(&raw)
	return int(dec.InputOffset()), err == nil
}

// walk reports how deep a valid JSON value nests, and whether one of its objects has a name twice.
func walk(b []byte) (deepest int, twice bool) {
	type open struct {
		names   map[string]bool // nil of an array
		isValue bool            // the next token is a value, not a name
	}
	var stack []*open
	dec := json.NewDecoder(bytes.NewReader(b))
	for {
		token, err := dec.Token()
		if err != nil {
			return deepest, twice
		}
		if d, ok := token.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].names != nil {
			top := stack[n-1]
			if name, ok := token.(string); ok && !top.isValue {
				twice = twice || top.names[name]
				top.names[name], top.isValue = true, true
				continue
			}
			top.isValue = false
		}
		if d, ok := token.(json.Delim); ok {
			next := &open{}
			if d == '{' {
				next.names = map[string]bool{}
			}
			stack = append(stack, next)
			deepest = max(deepest, len(stack))
		}
	}
}

// compareTexts checks the unescaping against encoding/json.
func compareTexts(t interface{ Fatalf(string, ...any) }, d *Decoder, object []byte) {
	var std map[string]any
	if err := json.Unmarshal(object, &std); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", object, err)
	}
	for f := range numFields {
		s := d.doc.known[f]
		want, isText := std[f.name()].(string)
		if (s.end > 0 && d.body[s.start] == '"') != isText {
			t.Fatalf("%s of %q is a text for one only", f.name(), object)
		}
		if isText && valid(d.unquote(s)) != want {
			t.Fatalf("%s of %q: %q, encoding/json says %q", f.name(), object, d.unquote(s), want)
		}
	}
}

// valid replaces each invalid byte, as encoding/json does.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

func FuzzReadersAgree(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { agree(t, body) })
}

// TestReadersAgreeOnMutations reaches what the seeds alone do not: members of all kinds, with damage.
func TestReadersAgreeOnMutations(t *testing.T) {
	t.Parallel()
	pieces := []string{`"`, `\`, `\u`, `d83d`, `{`, `}`, `[`, `]`, `,`, `:`, ` `, "\n", `0`, `-`, `1.5`, `e9`, `true`, `null`, "\xff", "\x00", `é`,
		`"message"`, `"x":1`, `"\u0078":2`, `"hostname":"h"`, `"timestamp":1795428000`, `"severity":3`, `"x":{"a":[]}`, `"id":null`}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "parts")
		agree(t, []byte("{"+strings.Join(parts, "")+"}"))
		if !rapid.Bool().Draw(t, "damage") {
			return
		}
		b := []byte(rapid.SampledFrom(seeds()).Draw(t, "seed"))
		for range rapid.IntRange(1, 4).Draw(t, "n") {
			if len(b) > 0 {
				b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			}
		}
		agree(t, b)
	})
}

// FuzzDecode: any body is read to its end, each error has a code and a message, each event survives the codec.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		format := JSON
		if lines {
			format = NDJSON
		}
		before := bytes.Clone(body)
		d, n := newDecoder(), 0
		for d.Reset(body, format); d.Next(); n++ {
			e, err := d.Event()
			if d.Index() != n {
				t.Fatalf("event %d has the index %d", n, d.Index())
			}
			checkEvent(t, e, err)
		}
		if err := d.Err(); err != nil && !fault.Is(err, fault.BadRequest) {
			t.Fatalf("a foreign error: %v", err)
		}
		if n == 0 && d.Err() == nil {
			t.Fatal("neither an event nor an error")
		}
		if d.Next() {
			t.Fatal("something after the end")
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
	})
}

func checkEvent(t *testing.T, e *event.Event, err error) {
	t.Helper()
	if err != nil {
		var fe *fault.Error
		if !errors.As(err, &fe) || fe.Message == "" || fe.Code != fault.BadRequest && fe.Code != fault.InvalidField && fe.Code != fault.TooLarge {
			t.Fatalf("a foreign error: %v", err)
		}
		return
	}
	if c := clone(e); !cmp.Equal(c, *e) {
		t.Fatalf("the codec changed %+v to %+v", *e, c)
	}
	if e.Timestamp < stamp.Earliest || e.Timestamp > testNow.UnixMicro()+stamp.LatestAhead || strings.TrimSpace(e.Hostname) == "" {
		t.Fatalf("not a valid event: %+v", *e)
	}
	if e.Fields != "" && !json.Valid([]byte(e.Fields)) {
		t.Fatalf("Fields is no JSON: %q", e.Fields)
	}
}
