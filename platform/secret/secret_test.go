package secret

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"go.yaml.in/yaml/v3"
)

func TestNothingShowsIt(t *testing.T) {
	t.Parallel()
	const text = "hunter2-hunter2"
	s := New(text)
	type holder struct {
		Key Secret
		Ptr *Secret

		private Secret
		inside  struct{ secrets map[string]Secret }
	}
	h := holder{Key: s, Ptr: &s, private: s, inside: struct{ secrets map[string]Secret }{map[string]Secret{"k": s}}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+verb, s, &s, h, &h, []holder{h})
	}
	j, err := json.Marshal(map[string]any{"a": s, "b": h})
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(map[string]any{"a": s, "b": h})
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	zap.New(core).Info("m", zap.Any("a", s), zap.Any("h", h), zap.Stringer("s", s))
	fmt.Fprint(&out, string(j), string(y), fmt.Errorf("cannot use %v", s))
	func() {
		defer func() { fmt.Fprintf(&out, "%v %+v", recover(), string(debug.Stack())) }()
		panic(h)
	}()
	for _, e := range logs.All() {
		fmt.Fprintf(&out, "%+v", e.ContextMap())
	}
	if strings.Contains(out.String(), text) || strings.Contains(out.String(), fmt.Sprintf("%x", text)) {
		t.Fatalf("shown in %s", out.String())
	}
	if s.Reveal() != text || s.Empty() || !s.Equal(New(text)) || s.Equal(New("x")) || !New("").Empty() || !(Secret{}).Empty() || !New("").Equal(Secret{}) || (Secret{}).Reveal() != "" {
		t.Fatal("the text itself must work")
	}
}
