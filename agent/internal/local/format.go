package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Formats of answers.
const (
	Table = "table"
	JSON  = "json"
	YAML  = "yaml"
)

// Formats are all of them.
var Formats = []string{Table, JSON, YAML}

// CheckFormat refuses an unknown one.
func CheckFormat(format string) error {
	if !slices.Contains(Formats, format) {
		return fmt.Errorf("output %q is unknown; known: %s", format, strings.Join(Formats, ", "))
	}
	return nil
}

// Write prints an answer: as it is for programs, by table for people.
func Write(w io.Writer, format string, v any, table func(io.Writer) error) error {
	switch format {
	case JSON:
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	case YAML:
		return writeYAML(w, v)
	}
	return table(w)
}

// writeYAML says what JSON says, in the same order: JSON is YAML, so only its style is changed.
func writeYAML(w io.Writer, v any) error {
	var raw bytes.Buffer
	encoder := json.NewEncoder(&raw)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(raw.Bytes(), &node); err != nil {
		return err
	}
	plain(&node)
	out := yaml.NewEncoder(w)
	out.SetIndent(2)
	if err := out.Encode(&node); err != nil {
		return err
	}
	return out.Close()
}

func plain(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		plain(child)
	}
}
