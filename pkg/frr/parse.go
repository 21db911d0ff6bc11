package frr

import (
	"fmt"
	"strings"
)

// Parse reads a configuration as `show running-config`, frr.conf and our templates have it: a line that is indented deeper
// belongs to the line before it. Comments and the words that only close a context are dropped. An answer that is an error
// of FRR's, and bytes that no configuration has, are refused.
func Parse(text string) (Config, error) {
	root := Line{}
	// open holds the contexts that a line may belong to, with the index path to each; depths grow strictly.
	type level struct {
		indent int
		node   *[]Line
	}
	open := []level{{-1, &root.Lines}}
	for number, raw := range strings.Split(text, "\n") {
		line := strings.TrimRight(raw, " \t\r")
		command := strings.TrimLeft(line, " \t")
		if i := strings.IndexFunc(command, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
			return Config{}, fmt.Errorf("parse FRR configuration: line %d holds control character %q", number+1, command[i])
		}
		if strings.HasPrefix(command, "% ") {
			return Config{}, fmt.Errorf("parse FRR configuration: line %d is an error: %s", number+1, command)
		}
		if isNoise(command) {
			continue
		}
		indent := len(line) - len(command)
		for open[len(open)-1].indent >= indent {
			open = open[:len(open)-1]
		}
		siblings := open[len(open)-1].node
		*siblings = append(*siblings, Line{Text: squeeze(command)})
		// The pointer stays good: a context is left before its siblings grow.
		open = append(open, level{indent, &(*siblings)[len(*siblings)-1].Lines})
	}
	return Config{Lines: root.Lines}, nil
}

// squeeze makes one space of several, but leaves quoted and free text alone as far as FRR does.
func squeeze(command string) string {
	if !strings.Contains(command, "  ") && !strings.Contains(command, "\t") {
		return command
	}
	if strings.Contains(command, " description ") || strings.HasPrefix(command, "description ") {
		return command
	}
	return strings.Join(strings.Fields(command), " ")
}

// isNoise reports whether a line says nothing: comments, headings of vtysh, and words that close a context.
func isNoise(command string) bool {
	switch command {
	case "", "end", "exit", "quit", "Building configuration...", "Current configuration:":
		return true
	}
	return command[0] == '!' || command[0] == '#' || strings.HasPrefix(command, "exit-") && !strings.Contains(command, " ")
}
