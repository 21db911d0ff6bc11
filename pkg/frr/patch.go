package frr

import (
	"slices"
	"strings"
)

// Patch returns what FRR would run after it accepted changes, in order. It is how a writer that only loads whole
// configurations carries out a delta.
func Patch(have Config, changes []Change) Config {
	out := have.normalised()
	for _, c := range changes {
		if gone, ok := strings.CutPrefix(c.Line, "no "); ok && !isToggle(gone) {
			out.Lines = takeAway(out.Lines, c.Context, gone)
		} else {
			out.Lines = put(out.Lines, append(slices.Clone(c.Context), c.Line))
		}
	}
	return out.normalised()
}

// Reflects reports whether the configuration is as if the change had been accepted.
func (c Config) Reflects(change Change) bool {
	return Patch(c, []Change{change}).String() == c.String()
}

// isToggle reports whether "no" in front of a line is a setting of its own and not the absence of one.
func isToggle(text string) bool {
	switch text {
	case "bgp ebgp-requires-policy", "bgp log-neighbor-changes", "bgp default ipv4-unicast", "bgp suppress-duplicates", "ipv6 nd suppress-ra":
		return true
	}
	return false
}

// put adds a line inside its contexts, in place of another in its slot.
func put(lines []Line, path []string) []Line {
	for i := range lines {
		if lines[i].Text == path[0] {
			if len(path) > 1 {
				lines[i].Lines = put(lines[i].Lines, path[1:])
			}
			return lines
		}
	}
	added := Line{Text: path[0]}
	if len(path) > 1 {
		added.Lines = put(nil, path[1:])
	} else {
		lines = slices.DeleteFunc(lines, func(l Line) bool { return slot(l.Text) == slot(path[0]) })
	}
	return append(lines, added)
}

// takeAway removes a line inside its contexts. A neighbour goes with all its lines, in every address family.
func takeAway(lines []Line, context []string, gone string) []Line {
	if len(context) > 0 {
		for i := range lines {
			if lines[i].Text == context[0] {
				lines[i].Lines = takeAway(lines[i].Lines, context[1:], gone)
			}
		}
		return lines
	}
	if name, setting, ok := neighbourLine(gone); ok && (setting == "interface" || setting == "peer-group" || setting == "") {
		return withoutNeighbour(lines, name)
	}
	return slices.DeleteFunc(lines, func(l Line) bool { return l.Text == gone })
}

func withoutNeighbour(lines []Line, name string) []Line {
	lines = slices.DeleteFunc(lines, func(l Line) bool {
		n, _, ok := neighbourLine(l.Text)
		return ok && n == name
	})
	for i := range lines {
		lines[i].Lines = withoutNeighbour(lines[i].Lines, name)
	}
	return lines
}
