// Package output writes the API's messages for people (tables) and programs (JSON, YAML). It asks nobody anything: what it
// writes follows from the message and the time that it is given. Package command calls it.
package output

import (
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
)

// Format is how to write.
type Format string

// The formats.
const (
	Table Format = "table"
	Wide  Format = "wide"
	JSON  Format = "json"
	YAML  Format = "yaml"
)

// Formats lists them for help and completion.
var Formats = []string{string(Table), string(Wide), string(JSON), string(YAML)}

// ParseFormat reads the value of -o.
func ParseFormat(s string) (Format, error) {
	for _, f := range Formats {
		if s == f {
			return Format(f), nil
		}
	}
	return "", fmt.Errorf("output format %q is not known: give one of %s", s, strings.Join(Formats, ", "))
}

// Printer writes messages in one format.
type Printer struct {
	Out    io.Writer
	Format Format
	// Now is what ages are counted from.
	Now time.Time
}

// Structured tells whether programs read the output, so that nothing else may be mixed into it.
func (p Printer) Structured() bool { return p.Format == JSON || p.Format == YAML }

// structured writes m if the format is one for programs, and tells whether it was.
func (p Printer) structured(m proto.Message) (bool, error) {
	switch p.Format {
	case JSON:
		return true, writeJSON(p.Out, m)
	case YAML:
		return true, writeYAML(p.Out, m)
	default:
		return false, nil
	}
}

// Message writes a message that has no table.
func (p Printer) Message(m proto.Message) error {
	if done, err := p.structured(m); done {
		return err
	}
	return writeJSON(p.Out, m)
}
