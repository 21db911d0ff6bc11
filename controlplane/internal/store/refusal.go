package store

import "fmt"

// Kind says what a caller did wrong, or has to wait for.
type Kind int

// Kinds of refusals.
const (
	// Invalid: the request can never succeed.
	Invalid Kind = iota + 1
	NotFound
	Exists
	// Precondition: the state of the system is against it.
	Precondition
	// Exhausted: something ran out; said only from a state no older than a linearizable read.
	Exhausted
	// Aborted: the state moved faster than the decision could be made.
	Aborted
	// OutOfRange: the state that was asked for is compacted away, or of another store: list anew.
	OutOfRange
)

// Refusal is an answer, not a failure: it tells the caller why not and what to do.
type Refusal struct {
	Kind Kind
	Text string
}

func (r *Refusal) Error() string { return r.Text }

// Expect refuses a change that was made from an older state of an object than there is. 0 expects nothing.
func Expect[V any](o Object[V], revision int64) error {
	if revision == 0 || revision == o.ModRevision {
		return nil
	}
	return Refuse(Aborted, "resource_version: it was changed meanwhile; read it again and decide anew")
}

// Refuse makes a Refusal.
func Refuse(kind Kind, format string, args ...any) error {
	return &Refusal{Kind: kind, Text: fmt.Sprintf(format, args...)}
}
