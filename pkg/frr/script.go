package frr

import (
	"slices"
	"strings"
)

// Script is changes, in order, as a file for `vtysh -f`: each context opened, what is in it, and the context closed. A run of changes in
// one context opens it once.
func Script(changes []Change) string {
	var text strings.Builder
	var inside []string
	leave := func(depth int) {
		for len(inside) > depth {
			last := len(inside) - 1
			text.WriteString(strings.Repeat(" ", last) + closer(Line{Text: inside[last]}) + "\n")
			inside = inside[:last]
		}
	}
	for _, c := range changes {
		common := 0
		for common < min(len(inside), len(c.Context)) && inside[common] == c.Context[common] {
			common++
		}
		leave(common)
		for _, context := range c.Context[common:] {
			text.WriteString(strings.Repeat(" ", len(inside)) + context + "\n")
			inside = append(slices.Clone(inside), context)
		}
		text.WriteString(strings.Repeat(" ", len(inside)) + c.Line + "\n")
		if c.Opens() {
			inside = append(slices.Clone(inside), c.Line)
		}
	}
	leave(0)
	return text.String()
}
