package openapitest

import (
	"slices"
	"strings"
)

// mebi is the size of what is too long for everything, in bytes.
const mebi = 1 << 20

// spoil does something to the members of a body that no client would.
func (m *Maker) spoil(list []member) (out []member, what string) {
	list = slices.Clone(list)
	at := -1
	if len(list) > 0 {
		at = m.rnd.IntN(len(list))
	}
	switch n := m.rnd.IntN(10); {
	case at < 0 || n == 0:
		return append(list, member{pick(m, hostile()), asJSON(pick(m, hostile()))}), "an unknown member"
	case n == 1:
		return slices.Delete(list, at, at+1), "without " + list[at].name
	case n == 2:
		return append(list, list[at]), list[at].name + " twice"
	case n == 3:
		return append(list, member{strings.Repeat("k", pick(m, []int{300, 70_000, mebi - 100})), []byte("1")}), "a long key"
	case n == 4:
		list[at].value = asJSON(strings.Repeat("v", pick(m, []int{300, 5000, 5000, 100_000, mebi})))
		return list, list[at].name + " is long"
	case n == 5:
		list[at].value = []byte(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000))
		return list, list[at].name + " is deep"
	case n == 6:
		list[at].value = []byte(pick(m, []string{`"\u0000"`, "\"\xff\"", `"\ud800"`, "\"a\nb\"", `"\u0000\u0001"`}))
		return list, list[at].name + " is no text"
	case n == 7:
		list[at].value = []byte(pick(m, []string{"1e400", "-1e400", "123456789012345678901234567890", "9223372036854775808", "0.1", "-0", "2147483648", "-2147483649"}))
		return list, list[at].name + " is a number"
	default:
		list[at].value = []byte(pick(m, []string{"true", "[]", "{}", "[1]", `{"a":1}`, `["a",null]`, "12", `"12"`, `[[[]]]`}))
		return list, list[at].name + " has another type"
	}
}

// twist does something to the whole of a request.
func (m *Maker) twist(r *Request) {
	do := func(what string, change func()) { r.Twist += " " + what; change() }
	switch m.rnd.IntN(10) {
	case 0:
		do("wrong content type", func() {
			r.Header.Set("Content-Type", m.headerText(pick(m, append(hostile(), "text/html", "application/x-www-form-urlencoded", "application/json; charset=latin1",
				"multipart/form-data", "application/json;;", "*/*"))))
		})
	case 1:
		do("content encoding", func() { r.Header.Set("Content-Encoding", pick(m, []string{"gzip", "br", "zstd", "identity", "x"})) })
	case 2:
		do("cut", func() { r.Body = r.Body[:len(r.Body)/2] })
	case 3:
		do("something after it", func() { r.Body = append(slices.Clip(r.Body), pick(m, hostile())...) })
	case 4:
		do("no JSON", func() { r.Body = []byte(pick(m, append(hostile(), "", " ", "[]", "null", "\"x\"", "{", "\ufeff{}"))) })
	case 5:
		do("query", func() {
			r.Target += m.separator(r) + pick(m, []string{"a=%zz", "a=1;b=2", "%00=1", "=&&=", "page=1&page=2", "limit=%ff", "dryrun=true", "hostname=", "api_key=x", "Limit=1", strings.Repeat("a=b&", 3000)})
		})
	case 6:
		do("version", func() { r.Header.Set("Accept-Version", m.headerText(pick(m, append(hostile(), "v1", "2", "v3")))) })
	case 7:
		do("condition", func() { r.Header.Set(pick(m, []string{"If-Match", "If-None-Match"}), m.headerText(pick(m, hostile()))) })
	case 8:
		do("headers", func() {
			for _, name := range []string{"Accept", "X-Correlation-ID", "X-Reason", "Idempotency-Key", "X-Forwarded-For"} {
				r.Header.Set(name, m.headerText(pick(m, hostile())))
			}
		})
	default:
		do("path", func() {
			path, query, _ := strings.Cut(r.Target, "?")
			r.Target = path + pick(m, []string{"/", "/..", "/%2e%2e/", "//", "/.%00", "%20", ";a=b", "%2F", "/" + strings.Repeat("a", 9000)})
			if query != "" {
				r.Target += "?" + query
			}
		})
	}
}

func (m *Maker) separator(r *Request) string {
	if strings.Contains(r.Target, "?") {
		return "&"
	}
	return "?"
}
