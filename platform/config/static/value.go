package static

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/secret"
)

// EmptyList is the text of a list without items: [] in the file.
const EmptyList = "[]"

// Off as the address of a listener disables it.
const Off = "off"

// Value reads a text into a field and shows the field.
type Value struct {
	takes  string
	set    func(text string) error
	get    func() any
	secret *secret.Secret
	words  []string
	shown  func() any // what may be shown, when that is not all of it
	empty  bool       // set takes EmptyList
}

// errOther says that a text is not what a Value takes; Set says what that is.
var errOther = errors.New("not of this type")

// NewValue makes a Value. takes completes the sentence "it takes …". An error of set is shown; get gives a string, int,
// bool or []string that set reads back.
func NewValue(takes string, set func(text string) error, get func() any) Value {
	return Value{takes: takes, set: set, get: get}
}

// Set reads a text. The field keeps what it had when there is an error.
func (v Value) Set(text string) error {
	err := v.set(text)
	if errors.Is(err, errOther) {
		return fmt.Errorf("takes %s, not %q", v.takes, text)
	}
	return err
}

// Get gives the value as string, int, bool or []string.
func (v Value) Get() any { return v.get() }

// Takes says which values there are.
func (v Value) Takes() string { return v.takes }

// Words lists the values when they are few; nil otherwise.
func (v Value) Words() []string { return v.words }

// WithWords names values for completion.
func (v Value) WithWords(words ...string) Value { v.words = words; return v }

// OrEmpty lets a list be empty: its set takes EmptyList.
func (v Value) OrEmpty() Value { v.empty = true; return v }

// ShownAs has a part of the value hidden wherever it is shown; shown returns the rest.
func (v Value) ShownAs(shown func() any) Value { v.shown = shown; return v }

// Secret reports whether the value must not be shown.
func (v Value) Secret() bool { return v.secret != nil }

// Reveal returns the secret that the field holds; the empty one for a Value that is not a secret.
func (v Value) Reveal() secret.Secret {
	if v.secret == nil {
		return secret.Secret{}
	}
	return *v.secret
}

// Same reports whether two Values hold the same.
func (v Value) Same(o Value) bool {
	if v.secret != nil && o.secret != nil {
		return v.secret.Equal(*o.secret)
	}
	return fmt.Sprint(v.get()) == fmt.Sprint(o.get())
}

// list reports whether the file may give the value as a list.
func (v Value) list() bool { _, ok := v.get().([]string); return ok }

// wants gives errOther unless ok.
func wants(ok bool) error {
	if !ok {
		return errOther
	}
	return nil
}

// Text takes any text.
func Text(field *string) Value {
	return NewValue("a text", func(t string) error { *field = t; return nil }, func() any { return *field })
}

// Whole takes a whole number from lo to hi.
func Whole(field *int, lo, hi int) Value {
	return NewValue(fmt.Sprintf("a whole number from %d to %d", lo, hi), func(t string) error {
		n, err := strconv.Atoi(t)
		if err != nil || n < lo || n > hi {
			return errOther
		}
		*field = n
		return nil
	}, func() any { return *field })
}

// Bool takes true or false.
func Bool(field *bool) Value {
	return NewValue("true or false", func(t string) error {
		b, err := strconv.ParseBool(strings.ToLower(t))
		if err == nil {
			*field = b
		}
		return wants(err == nil)
	}, func() any { return *field }).WithWords("true", "false")
}

// OneOf takes one of some words, whatever their case.
func OneOf[T ~string](field *T, words ...T) Value {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return NewValue("one of "+strings.Join(texts, ", "), func(t string) error {
		t = strings.ToLower(t)
		if !slices.Contains(texts, t) {
			return errOther
		}
		*field = T(t)
		return nil
	}, func() any { return string(*field) }).WithWords(texts...)
}

// Span takes a duration, or a number of seconds, above 0 and up to 24 hours.
func Span(field *time.Duration) Value {
	return NewValue("a duration such as 30s or 1m30s, or seconds, up to 24h", func(t string) error {
		d, err := time.ParseDuration(t)
		if secs, e := strconv.ParseFloat(t, 64); e == nil && math.Abs(secs) < 1e6 { // NaN is not below
			d, err = time.Duration(secs*float64(time.Second)), nil
		}
		if err != nil || d <= 0 || d > 24*time.Hour {
			return errOther
		}
		*field = d
		return nil
	}, func() any { return field.String() })
}

// List takes words separated by commas, at least one.
func List(field *[]string) Value {
	return NewValue("a list", func(t string) error {
		words := split(t)
		if len(words) > 0 {
			*field = words
		}
		return wants(len(words) > 0)
	}, func() any { return slices.Clone(*field) })
}

func split(text string) (words []string) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// Addresses takes hosts with or without a port.
func Addresses(field *[]string, port int) Value {
	return NewValue("a list of host or host:port", func(t string) error {
		words := split(t)
		for i, w := range words {
			a, ok := hostPort(w, port)
			if !ok || strings.HasPrefix(a, ":") {
				return errOther
			}
			words[i] = a
		}
		if len(words) > 0 {
			*field = words
		}
		return wants(len(words) > 0)
	}, func() any { return slices.Clone(*field) })
}

// Listener takes the address of a listener, or Off. A port alone leaves the host, as ListenerPort does: the admin
// listener is not opened to the network by giving it another port.
func Listener(field *string, port int) Value {
	portAlone := ListenerPort(field)
	return NewValue("a port, a host, :port, host:port or off", func(t string) error {
		if strings.EqualFold(t, Off) {
			*field = Off
			return nil
		}
		if t != "" && strings.Trim(t, "0123456789") == "" {
			return portAlone.set(t)
		}
		a, ok := hostPort(t, port)
		if ok {
			*field = a
		}
		return wants(ok)
	}, func() any { return *field })
}

// ListenerPort takes the port of a listener, and leaves its host.
func ListenerPort(field *string) *Value {
	v := NewValue("a port from 0 to 65535", func(t string) error {
		n, err := strconv.Atoi(t)
		if err != nil || n < 0 || n > 65535 {
			return errOther
		}
		host, _, err := net.SplitHostPort(*field)
		if err != nil {
			return errors.New("is a port alone, and the listener is off: give host:port, or :port for all interfaces")
		}
		*field = net.JoinHostPort(host, strconv.Itoa(n))
		return nil
	}, func() any { return *field })
	return &v
}

// hostPort completes an address by a port.
func hostPort(text string, port int) (string, bool) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil { // a bare host
		host, portText = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), strconv.Itoa(port)
		if host == "" {
			return "", false
		}
	}
	if host != "" && (strings.Contains(host, ":") || strings.Trim(host, "0123456789.") == "") { // an address, or a slip: no name has a colon, or digits alone
		if _, err := netip.ParseAddr(host); err != nil {
			return "", false
		}
	}
	n, err := strconv.Atoi(portText)
	bad := err != nil || n < 0 || n > 65535 || strings.HasPrefix(host, "-") || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || strings.ContainsRune("/,[]@?#*\x7f", r) })
	return net.JoinHostPort(host, strconv.Itoa(n)), !bad
}

// Port takes a port, also in the form tcp://10.0.0.1:6379.
func Port(field *int) Value {
	return NewValue("a port from 1 to 65535", func(t string) error {
		if serviceLink(t) {
			t = t[strings.LastIndexByte(t, ':')+1:]
		}
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 || n > 65535 {
			return errOther
		}
		*field = n
		return nil
	}, func() any { return *field })
}

// Password takes a secret: in the environment its text, elsewhere the name of its file.
func Password(field *secret.Secret) Value {
	return Value{takes: "the name of a file", secret: field, get: func() any { return secret.Redacted },
		set: func(t string) error { *field = secret.New(t); return nil }}
}

// setFromFile reads a secret from its file: everything but the end of the last line.
func (v Value) setFromFile(name string, open func(name string) ([]byte, error)) error {
	if open == nil {
		return nil
	}
	text, err := open(name)
	if err != nil {
		return fmt.Errorf("names a file that cannot be read: %w", err)
	}
	t := strings.TrimRight(string(text), "\r\n")
	if t == "" {
		return fmt.Errorf("names the file %s, which is empty", name)
	}
	return v.set(t)
}
