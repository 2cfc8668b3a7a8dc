// Package fault is the one error type that an operator or an API client ever sees.
//
// Principles:
//  1. A Code is permanent. It is printed in logs, answers and the CLI, and has a row in the Catalogue.
//  2. Message is for the reader (what happened, to what), Remedy says what to do; the cause stays in the log.
//  3. Code that can act on an error asks Is(err, CodeX); nobody compares texts.
//  4. Errors inside the process wrap with %w; they become a *Error at the boundary where the meaning is known.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Code is the stable identifier of a kind of failure, for example "queue_full".
type Code string

// Error is a failure with a meaning that its reader can act on.
type Error struct {
	Code       Code
	Message    string        // one sentence, lower case, no secret, no address
	Field      string        // the offending field ("events[3].timestamp", "priority"), or ""
	Remedy     string        // what to do; "" falls back to the catalogue's
	RetryAfter time.Duration // when trying again makes sense; 0 when unknown
	cause      error
}

// Error renders the code, the sentence and the cause.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Field != "" {
		s = string(e.Code) + ": " + e.Field + ": " + e.Message
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// New makes an Error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Field makes an Error about one field of the caller's input. The name may be the caller's own: it is made Printable.
func Field(code Code, field, format string, args ...any) *Error {
	return &Error{Code: code, Field: Printable(field), Message: fmt.Sprintf(format, args...)}
}

// Printable makes a name that somebody else chose fit to be shown: what is no UTF-8 and control characters become "?".
func Printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
}

// Wrap makes an Error with a cause that is logged but not shown to API clients.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), cause: cause}
}

// WithRetryAfter says when the caller may try again.
func (e *Error) WithRetryAfter(d time.Duration) *Error { e.RetryAfter = d; return e }

// WithRemedy replaces the catalogue's remedy.
func (e *Error) WithRemedy(format string, args ...any) *Error {
	e.Remedy = fmt.Sprintf(format, args...)
	return e
}

// As finds the first *Error in err's chain; ok is false when there is none.
func As(err error) (e *Error, ok bool) {
	ok = errors.As(err, &e)
	return e, ok
}

// CodeOf gives the code of the first *Error in err's chain, Internal for any other error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := As(err); ok {
		return e.Code
	}
	return Internal
}

// Is reports whether err carries the given code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }
