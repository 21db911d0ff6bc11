package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/renameio/v2"
)

// ready is what scripts and tests read to know where a control plane serves, its ports among it when they were left to it.
type ready struct {
	// GRPC is HOST:PORT of the API.
	GRPC string `json:"grpc"`
	// REST is the root of the API's REST form.
	REST string `json:"rest"`
	// Metrics is where Prometheus reads.
	Metrics string `json:"metrics"`
	// Etcd is the endpoints that agents watch.
	Etcd []string `json:"etcd"`
}

// tell writes it into a file if one is named, and prints it as one line of JSON. The file appears whole or not at all, and
// before the line.
func (r ready) tell(out io.Writer, file string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write where this serves: %w", err)
	}
	line = append(line, '\n')
	if file != "" {
		if err := renameio.WriteFile(file, line, 0o644); err != nil {
			return fmt.Errorf("write the ready file: %w", err)
		}
	}
	if _, err := out.Write(line); err != nil {
		return fmt.Errorf("write where this serves: %w", err)
	}
	return nil
}
