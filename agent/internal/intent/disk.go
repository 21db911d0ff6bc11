package intent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pointsman/pointsman/agent/internal/plan"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// fileVersion rises when an older agent could misread the file.
const fileVersion = 1

// file is the last intent as it lies on disk: the stored messages as etcd holds them. Probes are not kept: without etcd nobody
// could be told of them.
type file struct {
	Version   int                        `json:"version"`
	StoreUUID string                     `json:"storeUUID"`
	Revision  int64                      `json:"revision"`
	Config    json.RawMessage            `json:"config"`
	Ports     map[string]json.RawMessage `json:"ports"`
	Received  map[string]time.Time       `json:"received"`
}

func path(stateDir string) string { return filepath.Join(stateDir, "intent.json") }

// load reads the last intent; there is none before the first one.
func load(stateDir string) (last, error) {
	raw, err := os.ReadFile(path(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return last{}, nil
	}
	if err != nil {
		return last{}, fmt.Errorf("read last intent: %w", err)
	}
	l, err := unmarshal(raw)
	if err != nil {
		return last{}, fmt.Errorf("read last intent from %s: %w", path(stateDir), err)
	}
	return l, nil
}

// save replaces the file whole and syncs it: after a power cut it is the old one or the new one.
func save(stateDir string, l last) error {
	raw, err := marshal(l)
	if err != nil {
		return fmt.Errorf("write last intent: %w", err)
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return fmt.Errorf("write last intent: %w", err)
	}
	if err := renameio.WriteFile(path(stateDir), raw, 0o600); err != nil {
		return fmt.Errorf("write last intent: %w", err)
	}
	return nil
}

func marshal(l last) ([]byte, error) {
	f := file{Version: fileVersion, StoreUUID: l.storeUUID, Revision: l.revision, Ports: map[string]json.RawMessage{}, Received: l.received}
	var err error
	if f.Config, err = wire.SwitchConfigCodec.Encode(l.intent.Config); err != nil {
		return nil, err
	}
	for name, port := range l.intent.Ports {
		if f.Ports[name], err = wire.PortIntentCodec.Encode(port); err != nil {
			return nil, err
		}
	}
	return json.MarshalIndent(f, "", " ")
}

func unmarshal(raw []byte) (last, error) {
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return last{}, err
	}
	if f.Version != fileVersion {
		return last{}, fmt.Errorf("version %d, this agent reads %d", f.Version, fileVersion)
	}
	config, err := wire.SwitchConfigCodec.Decode(f.Config)
	if err != nil {
		return last{}, err
	}
	l := last{storeUUID: f.StoreUUID, revision: f.Revision, received: f.Received}
	l.intent = plan.Intent{Config: config, Ports: map[string]netmodel.PortIntent{}, Probes: map[string]netmodel.Probe{}}
	if l.received == nil {
		l.received = map[string]time.Time{}
	}
	for name, raw := range f.Ports {
		if l.intent.Ports[name], err = wire.PortIntentCodec.Decode(raw); err != nil {
			return last{}, fmt.Errorf("port %q: %w", name, err)
		}
	}
	return l, nil
}
