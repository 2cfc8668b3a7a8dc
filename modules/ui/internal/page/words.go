package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/terminal"
)

// count renders a whole number with a comma between thousands, and a true minus sign.
func count(n int64) string {
	digits := strconv.FormatUint(uint64(max(n, -n)), 10)
	var b strings.Builder
	if n < 0 {
		b.WriteString("−")
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// counted renders a number with its noun, in the singular for 1.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// rate renders a rate per second from one per minute.
func rate(perMinute float64) string {
	perSecond := perMinute / 60
	if perSecond >= 10 || perSecond == 0 {
		return count(int64(math.Round(perSecond)))
	}
	return strconv.FormatFloat(perSecond, 'f', 1, 64)
}

// span renders a length of time in the two largest units that matter.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", d.Seconds()), "0"), ".") + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

func seconds(s float64) string { return span(time.Duration(s * float64(time.Second))) }

// percent renders a share with as many digits as tell it from 100 %.
func percent(share float64) string {
	text := strconv.FormatFloat(share*100, 'f', 3, 64)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".") + " %"
}

// moment renders a time as the reader of now wants it: today by the clock, this week by the day, else by the date.
func moment(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	switch age := now.Sub(t); {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04:05")
	case age > 0 && age < 6*24*time.Hour:
		return t.Format("Mon 15:04")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006")
}

// clock renders the time of an event of today with milliseconds.
func clock(t, now time.Time) string {
	if t, now = t.UTC(), now.UTC(); t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05.000")
	}
	return moment(t, now)
}

// exact renders a time for title attributes.
func exact(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// visible shows what a device or a person wrote: control characters, and characters that would reorder or hide text, by their numbers, so
// that a page never looks like something that it is not. (The pictures of control characters, such as ␀, are missing in most fonts.) The
// HTML is escaped where it is rendered.
func visible(s string) string {
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if odd(r) {
			fmt.Fprintf(&b, "‹U+%04X›", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func odd(r rune) bool { return r < ' ' || r == 0x7f || terminal.Hostile(r) }

// short renders a count in at most six characters.
func short(n int64) string {
	switch {
	case n < 100_000:
		return count(n)
	case n < 1_000_000:
		return count(n/1000) + " k"
	}
	return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " M"
}

// severityWord is syslog's word for a severity from 0 to 7.
func severityWord(n int) string {
	return [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}[n&7]
}
