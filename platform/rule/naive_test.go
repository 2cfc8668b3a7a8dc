package rule

import (
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/muttproject/mutt/platform/event"
)

// The naive model: contracts.md section 3 written down as plainly as possible, sharing no code with the index.

// naiveWinner gives the index of the winning rule, or -1.
func naiveWinner(rules []Rule, e *event.Event, now int64) int {
	order := make([]int, len(rules))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if rules[a].Priority != rules[b].Priority {
			return rules[a].Priority - rules[b].Priority
		}
		return int(rules[a].ID - rules[b].ID)
	})
	for _, i := range order {
		if naiveMatches(&rules[i], e, now) {
			return i
		}
	}
	return -1
}

func naiveMatches(r *Rule, e *event.Event, now int64) bool {
	if !r.IsActive || !naiveSeverity(r, int(e.Severity)) || !naiveHost(r.HostPattern, e) {
		return false
	}
	if r.Source != "" && r.Source != e.Source.String() {
		return false
	}
	if r.ValidFrom != "" && now < naiveTime(r.ValidFrom) || r.ValidUntil != "" && now >= naiveTime(r.ValidUntil) {
		return false
	}
	if r.TrapOID != "" {
		if e.TrapOID == "" || !strings.HasPrefix(e.TrapOID+".", r.TrapOID+".") {
			return false
		}
	}
	return r.MatchString == "" || naiveText(r.MatchType, r.MatchString, e.Message)
}

func naiveTime(s string) int64 {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UnixMicro()
}

func naiveSeverity(r *Rule, sev int) bool {
	if r.SyslogSeverity == nil && r.MinSeverity == nil && r.MaxSeverity == nil {
		return true
	}
	return sev >= 0 && (r.SyslogSeverity == nil || *r.SyslogSeverity == sev) &&
		(r.MinSeverity == nil || *r.MinSeverity <= sev) && (r.MaxSeverity == nil || sev <= *r.MaxSeverity)
}

func naiveHost(pattern string, e *event.Event) bool {
	if pattern == "" {
		return true
	}
	if p, err := netip.ParsePrefix(pattern); err == nil {
		for _, s := range []string{e.SourceIP, e.Hostname} {
			if a, err := netip.ParseAddr(s); err == nil && p.Contains(a) {
				return true
			}
		}
		return false
	}
	ok, err := path.Match(naiveFold(pattern), naiveFold(e.Hostname))
	return ok && err == nil
}

// naiveFold lowers the letters A to Z and no others.
func naiveFold(host string) string {
	return regexp.MustCompile(`[A-Z]+`).ReplaceAllStringFunc(host, strings.ToLower)
}

// sameLetter asks unicode alone: the orbit of a is walked for b.
func sameLetter(a, b rune) bool {
	if a == b {
		return true
	}
	for f := unicode.SimpleFold(a); f != a; f = unicode.SimpleFold(f) {
		if f == b {
			return true
		}
	}
	return false
}

func naiveText(kind MatchType, pattern, message string) bool {
	switch kind {
	case Regex:
		return regexp.MustCompile("(?i)" + pattern).MatchString(message)
	case Equals:
		return naiveEqual([]rune(pattern), []rune(message))
	case Glob:
		return naiveGlob([]rune(pattern), []rune(message))
	default:
		p, m := []rune(pattern), []rune(message)
		for i := 0; i+len(p) <= len(m); i++ {
			if naiveEqual(p, m[i:i+len(p)]) {
				return true
			}
		}
		return false
	}
}

func naiveEqual(a, b []rune) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameLetter(a[i], b[i]) {
			return false
		}
	}
	return true
}

func naiveGlob(p, m []rune) bool {
	if len(p) == 0 {
		return len(m) == 0
	}
	if p[0] == '*' {
		return naiveGlob(p[1:], m) || len(m) > 0 && naiveGlob(p, m[1:])
	}
	return len(m) > 0 && (p[0] == '?' || sameLetter(p[0], m[0])) && naiveGlob(p[1:], m[1:])
}
