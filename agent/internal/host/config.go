// Package host is what `pointsman-agent host` runs on a machine: it tells the leaves over LLDP who the machine is, and once a
// machine file is there it speaks BGP on the uplinks, holds the machine's addresses on the loopback interface and installs what
// it learns as ECMP routes. It knows no control plane: the machine file is all that it follows.
package host

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/pkg/speaker"
)

// Config is host.yaml.
type Config struct {
	// MachineFile is what `pointsmanctl machine config` printed. It may be absent, appear, change and vanish.
	MachineFile string `yaml:"machine-file"`
	// SystemUUID is who the machine is over LLDP; empty reads the firmware's.
	SystemUUID string `yaml:"system-uuid"`
	// Uplinks are used where the machine file names none, and for LLDP.
	Uplinks []string `yaml:"uplinks"`
	// LLDP may be switched off where lldpd runs.
	LLDP *bool `yaml:"lldp"`
	// ExtraAnnouncements are routes of software on this machine, such as pod and service ranges. The leaf permits what is granted.
	ExtraAnnouncements []Announcement `yaml:"extra-announcements"`
	StatusFile         string         `yaml:"status-file"`
	LogLevel           string         `yaml:"log-level"`
}

// Announcement is a route to announce beside the machine's own addresses.
type Announcement struct {
	Prefix              string   `yaml:"prefix"`
	Communities         []string `yaml:"communities"`
	ExtendedCommunities []string `yaml:"extended-communities"`
	LargeCommunities    []string `yaml:"large-communities"`
	ASPath              []uint32 `yaml:"as-path"`
}

// Defaults.
const (
	DefaultMachineFile = "/etc/pointsman/machine.json"
	DefaultStatusFile  = "/run/pointsman/host.json"
	firmwareUUID       = "/sys/class/dmi/id/product_uuid"
)

// Load reads host.yaml. Unknown fields are errors.
func Load(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read host configuration: %w", err)
	}
	c, err := parse(text)
	if err != nil {
		return Config{}, fmt.Errorf("read %s: %w", path, err)
	}
	if c.SystemUUID == "" {
		raw, err := os.ReadFile(firmwareUUID)
		if err != nil {
			return Config{}, fmt.Errorf("read %s: system-uuid: is empty, and the firmware's cannot be read: %w", path, err)
		}
		c.SystemUUID = string(bytes.ToLower(bytes.TrimSpace(raw)))
	}
	return c, nil
}

func parse(text []byte) (Config, error) {
	c := Config{MachineFile: DefaultMachineFile, StatusFile: DefaultStatusFile, LogLevel: "info"}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		return Config{}, err
	}
	var errs []error
	if len(c.Uplinks) == 0 {
		errs = append(errs, errors.New("uplinks: name at least one interface"))
	}
	for i, u := range c.Uplinks {
		if u == "" || len(u) >= unix.IFNAMSIZ || slices.Index(c.Uplinks, u) != i {
			errs = append(errs, fmt.Errorf("uplinks[%d]: %q is no interface's name, or named twice", i, u))
		}
	}
	if err := new(slog.Level).UnmarshalText([]byte(c.LogLevel)); err != nil {
		errs = append(errs, fmt.Errorf("log-level: %q is not debug, info, warn or error", c.LogLevel))
	}
	if _, err := c.extra(); err != nil {
		errs = append(errs, err)
	}
	return c, errors.Join(errs...)
}

// extra are the additional announcements as the speaker takes them.
func (c Config) extra() ([]speaker.Route, error) {
	var out []speaker.Route
	var errs []error
	for i, a := range c.ExtraAnnouncements {
		p, err := netip.ParsePrefix(a.Prefix)
		if err != nil {
			errs = append(errs, fmt.Errorf("extra-announcements[%d].prefix: %w", i, err))
			continue
		}
		if p != p.Masked() {
			errs = append(errs, fmt.Errorf("extra-announcements[%d].prefix: %s has host bits; did you mean %s?", i, p, p.Masked()))
			continue
		}
		r := speaker.Route{
			Prefix: p, Communities: a.Communities, ExtendedCommunities: a.ExtendedCommunities, LargeCommunities: a.LargeCommunities, ASPath: a.ASPath,
		}
		if err := r.Check(); err != nil {
			errs = append(errs, fmt.Errorf("extra-announcements[%d].%w", i, err))
		}
		out = append(out, r)
	}
	return out, errors.Join(errs...)
}

func (c Config) lldp() bool { return c.LLDP == nil || *c.LLDP }
