package cisco

import (
	"strconv"
	"strings"

	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
)

// Header is what a device wrote before its mnemonic, as it is found in the content of a line that a relay put a header of
// its own before. Relays take such a line apart at its first colon or blank, so that the pieces are in the APP-NAME and in the
// message: "45" and "*Nov 30 08:00:00.123 UTC: %SYS-5-CONFIG_I: …", or "*Nov" and "30 08:00:00.123 UTC: %SYS-5-CONFIG_I: …".
type Header struct {
	Whole             bool   // the relay kept the whole line
	Priority          int    // and this is its PRI
	Counter, Sequence string // of the logging process, and of the message
	Host              string
	Origin            string    // a name that is not one of a host: "AP:a44c.11aa.bbcc", "asa.example.net/ctx1"
	Node              string    // IOS-XR: "RP/0/RSP0/CPU0"
	Process, PID      string    // IOS-XR: "bgp[1052]"; WLC: "*spamApTask0"
	Time              [2]string // the device's own time: what the relay made the APP-NAME, and the rest
	AppUsed           bool      // the APP-NAME is a part of the header and does not name an application
}

// AppendTime appends the device's own time; it appends nothing when the header has no time.
func (h *Header) AppendTime(dst []byte) []byte {
	dst = append(dst, h.Time[0]...)
	if h.Time[0] != "" && h.Time[1] != "" {
		first, _, _ := strings.Cut(h.Time[1], " ")
		if strings.Count(first, ":") == 1 { // the relay split a time of day: "2026-11-30T08" and "00:00Z"
			dst = append(dst, ':')
		} else {
			dst = append(dst, ' ')
		}
	}
	return append(dst, h.Time[1]...)
}

// The longest header that is believed, and the most words in it.
const (
	maxHeader = 160
	maxWords  = 14
)

// MayHaveHeader reports whether ReadHeader can find anything, at the cost that the lines of other devices may have. An APP-NAME
// with a PROCID is the name of a program, not a piece of a header.
func MayHaveHeader(appName, procID, message string) bool {
	if procID != "" || message == "" {
		return false
	}
	if message[0] == '%' && (appName == "" || appName[0] == '%' || appName[0] >= 'a' && appName[0] <= 'z' && strings.IndexByte(appName, '/') < 0 && !ofFirewall(message)) {
		return false // only an APP-NAME could be a piece, and none begins like this but the hostname of a firewall
	}
	return strings.IndexByte(message[:min(len(message), maxHeader)], '%') >= 0
}

// ReadHeader reads the header before the mnemonic of a message. text is the message from its mnemonic on. ok is false when
// the message has no mnemonic, nothing before it, or anything that is not known to be a part of a header.
func ReadHeader(appName, procID, message string) (h Header, text string, ok bool) {
	if !MayHaveHeader(appName, procID, message) {
		return h, "", false
	}
	at := mnemonicIn(message[:min(len(message), maxHeader)])
	if at < 0 {
		return h, "", false
	}
	r := reader{firewall: ofFirewall(message[at:])}
	before := message[:at]
	if appName == "" {
		before = r.priority(before)
	}
	r.app = appName
	r.appName(before)
	if !r.words(before) || !r.names() || at == 0 && !r.AppUsed {
		return h, "", false
	}
	return r.Header, message[at:], true
}

// mnemonicIn returns where the first mnemonic in s begins that is not part of a word, or -1.
func mnemonicIn(s string) int {
	for at, next := 0, 0; ; at = next + 1 {
		if next = strings.IndexByte(s[at:], '%'); next < 0 {
			return -1
		}
		next += at
		if Mnemonic(s[next:]) > 0 && (next == 0 || strings.IndexByte(" :*>", s[next-1]) >= 0) {
			return next
		}
	}
}

// ofFirewall reports whether a mnemonic is one of ASA, FTD and their relatives, whose lines never name a process.
func ofFirewall(text string) bool {
	for _, facility := range [...]string{"%ASA-", "%FTD-", "%PIX-", "%FWSM-"} {
		if strings.HasPrefix(text, facility) {
			return true
		}
	}
	return false
}

// reader reads a header word by word. All that it keeps is letters, digits, blanks and the marks of times and names, which
// need no escape in JSON.
type reader struct {
	Header
	firewall bool
	app      string // an APP-NAME that is not known to be anything else
	name     string // a word that can only be a hostname
	alone    bool   // a colon does not follow the name directly
	named    bool   // a sequence number or a time is before the name
	from, to int    // where the time begins and ends
	last     kind
}

// kind is what a word of a header is.
type kind uint8

const (
	nothing kind = iota
	month
	day
	year
	clock // also an uptime
	zone
	number
	name
	other
)

// priority reads the "<PRI>" of a whole line off s.
func (r *reader) priority(s string) string {
	s = strings.TrimLeft(s, " ")
	number, rest, ok := strings.Cut(strings.TrimPrefix(s, "<"), ">")
	if ok && s[0] == '<' && len(number) <= 3 && allDigits(number) {
		if n, err := strconv.Atoi(number); err == nil && n <= 191 {
			r.Whole, r.Priority = true, n
			return rest
		}
	}
	return s
}

// appName reads the APP-NAME as the first word of the header.
func (r *reader) appName(message string) {
	app, next := r.app, strings.TrimLeft(message, " ")
	follows, _, _ := strings.Cut(next, " ")
	timed := false
	switch {
	case app == "":
		return
	case isMonth(app):
		r.last, timed = month, true
	case allDigits(app) && len(app) == 4 && isMonth(follows):
		r.last, timed = year, true
	case allDigits(app) && len(app) <= 2 && isClock(strings.TrimSuffix(follows, ":")) && strings.Count(strings.TrimSuffix(follows, ":"), ":") == 1:
		r.last, timed = clock, true // the hours of an uptime
	case allDigits(app):
		r.Sequence, r.last = app, number
	case stamp.IsZone(app):
		r.last, timed = zone, true
	case isUptime(app) || isDate(app):
		r.last, timed = clock, true
	case IsNode(app) || isRack(app) && timeFollows(next):
		r.Node, r.last = app, other
	case app[0] == '*' && len(app) > 1 && isName(app[1:]):
		r.Process, r.last = app[1:], other
	default:
		return
	}
	r.AppUsed, r.app = true, ""
	if timed {
		r.Time[0] = app
	}
}

// timeFollows reports whether s begins with a month, or with a year before one.
func timeFollows(s string) bool {
	word, rest, _ := strings.Cut(s, " ")
	if len(word) == 4 && allDigits(word) {
		word, _, _ = strings.Cut(rest, " ")
	}
	return isMonth(word)
}

// words reads all words of s; ok is false for one that is not a part of a header.
func (r *reader) words(s string) (ok bool) {
	for i, n := 0, 0; ; n++ {
		for i < len(s) && (s[i] == ' ' || s[i] == ':') {
			i++
		}
		if i == len(s) {
			break
		}
		word, _, _ := strings.Cut(s[i:], " ")
		if colon := strings.IndexByte(word, ':'); colon > 0 && strings.IndexByte(word[:colon], '/') > 0 {
			word = word[:colon+1] // IOS-XR: a time may follow directly
		}
		end := i + len(word)
		w, colon := strings.CutSuffix(word, ":")
		if n == maxWords || !r.word(w, colon, strings.TrimLeft(s[end:], " ")) {
			return false
		}
		if r.last >= month && r.last <= zone {
			if r.to == 0 {
				r.from = i
			}
			r.to = i + len(w)
		}
		i = end
	}
	r.Time[1] = s[r.from:r.to]
	return true
}

// word reads one word; colon reports whether a colon follows it, next is what follows that.
func (r *reader) word(w string, colon bool, next string) (ok bool) {
	before, timed := r.last, r.to > 0 || r.Time[0] != ""
	switch {
	case (w == "-" || w == "*") && next == "": // an empty tag; a mark
		r.last = other
	case isMonth(w):
		r.last = month
	case allDigits(w):
		switch {
		case before == month && len(w) <= 2:
			r.last = day
		case len(w) == 4 && !colon && (before == day || timeFollows(next)), len(w) == 4 && before == clock:
			r.last = year
		case colon && !timed && r.Counter == "":
			r.Counter, r.Sequence, r.last = r.Sequence, w, number
		default:
			return false
		}
	case isDate(w), isClock(w), colon && isUptime(w):
		r.last = clock
	case timed && (before == clock || before == year) && (isZone(w) || colon && isAbbreviation(w)):
		r.last = zone
	case colon && IsNode(w) && r.Node == "":
		r.Node, r.last = w, other
	case colon && w[0] == '*' && len(w) > 1 && isName(w[1:]) && r.Process == "":
		r.Process, r.last = w[1:], other
	case colon && next == "" && strings.HasSuffix(w, "]") && r.Process == "":
		process, pid, found := strings.Cut(w[:len(w)-1], "[")
		if !found || !isName(process) || !allDigits(pid) {
			return false
		}
		r.Process, r.PID, r.last = process, pid, other
	case r.name == "" && isHost(w):
		r.name, r.alone, r.last = w, !colon, name
		r.named = timed || r.Sequence != ""
	case r.Origin == "" && (colon || r.firewall) && isOrigin(w):
		r.Origin, r.last = w, other
	default:
		return false
	}
	return true
}

// names decides what the words are that can be hostnames; ok is false when one of them can as well be text.
func (r *reader) names() (ok bool) {
	timed := r.to > 0 || r.Time[0] != ""
	if (r.Node != "" || r.Origin != "") && !timed && r.Sequence == "" && !r.firewall {
		return false
	}
	if r.name != "" {
		// Without a colon, a hostname has a time before or after it. With one and neither a time nor a number, it is the name of a
		// process, or text.
		if !timed && r.Node == "" && !r.firewall && (r.alone || !r.named) {
			return false
		}
		r.Host = r.name
		return true
	}
	if r.app != "" && (timed && r.Time[0] == "" || r.Node != "" || r.Process != "" && r.PID == "" || r.firewall) && isHost(r.app) {
		r.Host, r.AppUsed = r.app, true
	}
	return true
}
