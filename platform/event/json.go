package event

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendEventJSON appends e as one JSON object: what the audit row keeps and what people read.
//
// The names are those of contracts.md section 2; empty texts, an absent severity or facility and an empty list are
// left out. Times are RFC 3339 in UTC with microseconds. Fields must be the text of a JSON object, or "": it is
// put in unchanged. Bytes that are no UTF-8 become U+FFFD, as encoding/json has it.
func AppendEventJSON(dst []byte, e *Event) []byte {
	dst = append(dst, `{"id":"`...)
	dst = appendUUID(dst, e.ID)
	dst = append(dst, `","received_at":"`...)
	dst = appendTime(dst, e.ReceivedAt)
	dst = append(dst, `","timestamp":"`...)
	dst = appendTime(dst, e.Timestamp)
	dst = append(dst, `","source":"`...)
	dst = append(dst, e.Source.String()...)
	dst = append(dst, `","hostname":`...)
	dst = AppendJSONString(dst, e.Hostname)
	dst = append(dst, `,"message":`...)
	dst = AppendJSONString(dst, e.Message)
	dst = appendNumber(dst, `,"syslog_severity":`, e.Severity)
	dst = appendNumber(dst, `,"facility":`, e.Facility)
	dst = appendMember(dst, `,"source_type":`, e.SourceType)
	dst = appendMember(dst, `,"source_ip":`, e.SourceIP)
	dst = appendMember(dst, `,"app_name":`, e.AppName)
	dst = appendMember(dst, `,"proc_id":`, e.ProcID)
	dst = appendMember(dst, `,"msg_id":`, e.MsgID)
	dst = appendMember(dst, `,"trap_oid":`, e.TrapOID)
	dst = appendVariables(dst, e.Variables)
	if e.Fields != "" {
		dst = append(append(dst, `,"fields":`...), e.Fields...)
	}
	dst = appendMember(dst, `,"sender_id":`, e.SenderID)
	dst = appendMember(dst, `,"_correlation_id":`, e.CorrelationID)
	dst = appendMember(dst, `,"traceparent":`, e.TraceParent)
	return append(dst, '}')
}

func appendVariables(dst []byte, vs []Variable) []byte {
	if len(vs) == 0 {
		return dst
	}
	dst = append(dst, `,"variables":`...)
	sep := byte('[')
	for i := range vs {
		dst = append(append(dst, sep), `{"oid":`...)
		dst = AppendJSONString(dst, vs[i].OID)
		dst = append(dst, `,"type":`...)
		dst = AppendJSONString(dst, vs[i].Type)
		dst = append(dst, `,"value":`...)
		dst = append(AppendJSONString(dst, vs[i].Value), '}')
		sep = ','
	}
	return append(dst, ']')
}

func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return AppendJSONString(append(dst, name...), value)
}

func appendNumber(dst []byte, name string, n int8) []byte {
	if n == Absent {
		return dst
	}
	return strconv.AppendInt(append(dst, name...), int64(n), 10)
}

const hexDigits = "0123456789abcdef"

func appendUUID(dst []byte, id ID) []byte {
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

// appendTime writes RFC 3339 by hand: Time.AppendFormat costs four times as much.
func appendTime(dst []byte, us int64) []byte {
	t := time.UnixMicro(us).UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000000Z07:00")
	}
	hour, minute, second := t.Clock()
	dst = append(dst, byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), '-')
	dst = append(appendTwo(append(appendTwo(dst, int(month)), '-'), day), 'T')
	dst = append(appendTwo(append(appendTwo(dst, hour), ':'), minute), ':')
	dst = append(appendTwo(dst, second), '.')
	micros := t.Nanosecond() / 1000
	dst = appendTwo(appendTwo(appendTwo(dst, micros/10000), micros/100%100), micros%100)
	return append(dst, 'Z')
}

func appendTwo(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// AppendJSONString appends s as a JSON string (RFC 8259 section 7), escaping only what must be escaped.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			dst = append(append(dst, s[start:i]...), "\uFFFD"...)
		} else {
			dst = appendEscape(append(dst, s[start:i]...), c)
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}
