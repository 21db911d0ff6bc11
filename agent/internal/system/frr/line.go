package frr

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// LineError is the first line of a configuration that vtysh did not take.
type LineError struct {
	// Line counts from 1; 0 is unknown.
	Line int
	// Text is what vtysh said.
	Text string
}

func (e *LineError) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Text)
}

// vtysh says: line 12: % Unknown command: neighbour swp1 interface
var refusedLine = regexp.MustCompile(`(?m)^line (\d+): (?:Failure to communicate|% )?(.*)$`)

func lineErrorOf(out []byte) *LineError {
	m := refusedLine.FindSubmatch(out)
	if m == nil {
		return &LineError{Text: oneLine(out)}
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		return &LineError{Text: oneLine(out)}
	}
	return &LineError{Line: n, Text: strings.TrimSpace(string(m[2]))}
}
