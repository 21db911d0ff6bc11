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
)

// Refusal is an answer, not a failure: it tells the caller why not and what to do.
type Refusal struct {
	Kind Kind
	Text string
}

func (r *Refusal) Error() string { return r.Text }

// Refuse makes a Refusal.
func Refuse(kind Kind, format string, args ...any) error {
	return &Refusal{Kind: kind, Text: fmt.Sprintf(format, args...)}
}
