package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Indented returns m in its JSON form, two spaces deep. protojson's own indentation differs between builds on purpose, so it
// is laid out again.
func Indented(m proto.Message) ([]byte, error) {
	raw, err := protojson.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func writeJSON(w io.Writer, m proto.Message) error {
	b, err := Indented(m)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// writeYAML lays the JSON form out as YAML: JSON is YAML in flow style, so parsing it and forgetting the style keeps the
// order and the types (a string of digits stays quoted).
func writeYAML(w io.Writer, m proto.Message) error {
	b, err := Indented(m)
	if err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("read the JSON form as YAML: %w", err)
	}
	forgetStyle(&doc)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return enc.Close()
}

func forgetStyle(n *yaml.Node) {
	// An empty list or map has no block form.
	if n.Kind != yaml.SequenceNode && n.Kind != yaml.MappingNode || len(n.Content) > 0 {
		n.Style = 0
	}
	for _, c := range n.Content {
		forgetStyle(c)
	}
}
