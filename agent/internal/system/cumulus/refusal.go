package cumulus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pointsman/pointsman/agent/internal/system/linux"
)

// refusal tells why the switch must be left alone, or "".
func refusal(root string, shared []string, saved record) (string, error) {
	why, err := nvue(os.DirFS(root))
	if why != "" || err != nil {
		return why, err
	}
	return singleDevice(shared, saved), nil
}

// Check tells what stands in the way of configuring the switch whose files are in root, each with what to do; none if nothing does.
func Check(root string) []error {
	var errs []error
	note := func(why string, err error) {
		if why != "" {
			err = errors.New(why)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	saved := readFile(root, record{})
	shared, err := linux.SharedTunnels()
	note("", err)
	note(refusal(root, shared, saved))
	note("", saved.err)
	_, _, err = limits(os.DirFS(root), nil)
	note("", err)
	if _, err := exec.LookPath("ifquery"); err != nil {
		note("", fmt.Errorf("ifupdown2 is not there: %w", err))
	}
	return errs
}

// singleDevice: a switch has one VXLAN device for each VNI, which is what the agent makes, or one for all of them.
func singleDevice(shared []string, saved record) string {
	const mixed = "carries all VNIs, and Cumulus Linux does not mix that with a device for each VNI, which the agent makes; delete it"
	if len(shared) > 0 {
		return fmt.Sprintf("VXLAN device %s %s", strings.Join(shared, " and "), mixed)
	}
	for _, e := range saved.file.Foreign {
		for _, a := range e.Attributes {
			if a.Name == "bridge-vlan-vni-map" || a.Name == "vxlan-vni" {
				return fmt.Sprintf("VXLAN device %s (%s:%d) %s", strings.Join(e.Names, " "), saved.path, a.Line, mixed)
			}
		}
	}
	return ""
}

// nvueWanted are where systemd starts NVUE's daemon from; nvueStartup is what it starts with.
const (
	nvueWanted  = "etc/systemd/system/*.wants/nvued.service"
	nvueStartup = "etc/nvue.d/startup.yaml"
)

// ignored are the files that the agent writes, and that `nv config apply` would overwrite.
var ignored = []string{"/etc/network/interfaces", "/etc/frr/frr.conf"}

// nvue tells why NVUE stands in the way, or "" if its daemon is not enabled or leaves the agent's files alone.
func nvue(files fs.FS) (string, error) {
	enabled, err := fs.Glob(files, nvueWanted)
	if err != nil || len(enabled) == 0 {
		return "", err
	}
	raw, err := fs.ReadFile(files, nvueStartup)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read what NVUE ignores: %w", err)
	}
	left, err := ignores(raw)
	if err != nil {
		return "", fmt.Errorf("read what NVUE ignores: /%s: %w", nvueStartup, err)
	}
	var missing []string
	for _, file := range ignored {
		if !left[file] {
			missing = append(missing, "nv set system config apply ignore "+file)
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	return fmt.Sprintf("NVUE is enabled, and `nv config apply` would overwrite what the agent writes: `%s`, `nv config apply` and `nv config save`, or disable nvued", strings.Join(missing, "`, `")), nil
}

// ignores reads the files that NVUE was told to leave alone.
func ignores(startup []byte) (map[string]bool, error) {
	var document []struct {
		Set struct {
			System struct {
				Config struct {
					Apply struct {
						Ignore map[string]any `yaml:"ignore"`
					} `yaml:"apply"`
				} `yaml:"config"`
			} `yaml:"system"`
		} `yaml:"set"`
	}
	if err := yaml.Unmarshal(startup, &document); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, part := range document {
		for file := range part.Set.System.Config.Apply.Ignore {
			out[file] = true
		}
	}
	return out, nil
}
