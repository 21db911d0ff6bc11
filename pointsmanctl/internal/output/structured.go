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
	return layOut(w, b)
}

func layOut(w io.Writer, b []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return fmt.Errorf("read the JSON form as YAML: %w", err)
	}
	if err := forgetStyle(&doc); err != nil {
		return err
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return enc.Close()
}

// forgetStyle leaves quotes only to strings that some YAML would take for something else: digits, but also "no", and MAC
// addresses of digits, which YAML 1.1 reads as a number to the base of 60.
func forgetStyle(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str":
		var alone yaml.Node
		if err := alone.Encode(n.Value); err != nil {
			return fmt.Errorf("write YAML: %w", err)
		}
		n.Style = alone.Style
	case len(n.Content) > 0 || n.Kind == yaml.ScalarNode:
		n.Style = 0
	}
	for _, c := range n.Content {
		if err := forgetStyle(c); err != nil {
			return err
		}
	}
	return nil
}
