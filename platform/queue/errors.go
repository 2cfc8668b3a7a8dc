package queue

import "fmt"

// Error tells how many events came twice.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("%d events of entry %s were accepted before", len(e.Indexes), e.Entry)
}
