package output

import (
	"cmp"
	"fmt"
	"strings"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

var changeColumns = []column[*apiv1.ChangeRecord]{
	{"TIME", false, func(c *apiv1.ChangeRecord) string { return c.GetTime().AsTime().Format("2006-01-02T15:04:05Z07:00") }},
	{"CALLER", false, func(c *apiv1.ChangeRecord) string { return text(c.GetCaller()) }},
	{"CALL", false, call},
	{"CHANGED", false, changed},
	{"REQUEST", true, func(c *apiv1.ChangeRecord) string { return text(c.GetRequestId()) }},
}

// Changes writes a history.
func (p Printer) Changes(r *apiv1.ListChangesResponse) error {
	return list(p, r, r.GetChanges(), changeColumns)
}

func (g *page) history(d Description) {
	if len(d.Changes) == 0 {
		return
	}
	g.section("history")
	g.note(writeTable(g.Out, g.Format == Wide, d.Changes, changeColumns))
	if d.Older {
		fmt.Fprintln(g.Out, "there are earlier changes: ask for more with --history")
	}
}

// call is a method without its service: CreateNetwork.
func call(c *apiv1.ChangeRecord) string {
	return text(c.GetMethod()[strings.LastIndexByte(c.GetMethod(), '/')+1:])
}

// changed says what a change made of what, and why. What a switch is told of a port from its registration on, and no more after
// it, goes without saying.
func changed(c *apiv1.ChangeRecord) string {
	var out []string
	for _, r := range c.GetResources() {
		before, after := r.GetBeforeGeneration(), r.GetAfterGeneration()
		switch told := len(r.GetFields()) == 0 && before+after > 0; {
		case told && (before == 0 || after == 0):
		case told:
			out = append(out, fmt.Sprintf("%s (generation %d → %d)", r.GetResource(), before, after))
		default:
			out = append(out, one(r))
		}
	}
	line := strings.Join(out, ", ")
	if c.GetReason() != "" {
		line += fmt.Sprintf(", because %q", c.GetReason())
	}
	return text(line)
}

// one says what became of a resource.
func one(r *apiv1.ResourceChange) string {
	switch r.GetType() {
	case apiv1.EventType_EVENT_TYPE_ADDED:
		return "+" + r.GetResource()
	case apiv1.EventType_EVENT_TYPE_DELETED:
		return "-" + r.GetResource()
	default:
		return r.GetResource() + " (" + fieldChanges(r) + ")"
	}
}

// fieldChanges are the fields that differ, with their values where those are short.
func fieldChanges(r *apiv1.ResourceChange) string {
	const short = 32
	var out []string
	for _, f := range r.GetFields() {
		line := f.GetField()
		if len(f.GetBefore()) <= short && len(f.GetAfter()) <= short {
			line += " " + cmp.Or(f.GetBefore(), "unset") + " → " + cmp.Or(f.GetAfter(), "unset")
		}
		out = append(out, line)
	}
	return strings.Join(out, ", ")
}
