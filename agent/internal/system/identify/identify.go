// Package identify tells which network operating system a switch runs, by the files that say so. It reads and decides nothing else;
// the agent's commands call it before they open the switch.
package identify

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// OS is a network operating system, by the word that network-os takes.
type OS string

// Network operating systems. Auto is whatever the switch runs.
const (
	Auto    OS = "auto"
	Linux   OS = "linux"
	Cumulus OS = "cumulus"
	SONiC   OS = "sonic"
)

// Known are the words that network-os takes.
var Known = []OS{Auto, Linux, Cumulus, SONiC}

// Found is a network OS, and what says so.
type Found struct {
	OS OS
	// Version is what the OS calls its release, "" where it says none.
	Version string
	// Why names the file, or the setting.
	Why string
}

// On returns what the switch runs whose files are in root, unless the operator chose. A file that cannot be read is an error: taken
// for plain Linux, a SONiC would be configured behind its daemons' backs.
func On(root fs.FS, chosen OS) (Found, error) {
	found, err := on(root)
	if chosen != Auto {
		if err != nil || found.OS != chosen {
			found.Version = ""
		}
		return Found{OS: chosen, Version: found.Version, Why: "network-os: " + string(chosen)}, nil
	}
	return found, err
}

func on(root fs.FS) (Found, error) {
	for _, look := range []func(fs.FS) (Found, bool, error){sonic, cumulus} {
		if found, is, err := look(root); err != nil || is {
			return found, err
		}
	}
	return Found{OS: Linux, Why: "nothing says that it is another"}, nil
}

// sonic goes by what SONiC's image and its database layout are read from; its os-release is Debian's.
func sonic(root fs.FS) (Found, bool, error) {
	const file = "etc/sonic/sonic_version.yml"
	raw, there, err := read(root, file)
	if err != nil || there {
		return Found{SONiC, value(raw, "build_version", ":"), "/" + file}, there, err
	}
	_, err = fs.Stat(root, "etc/sonic")
	if errors.Is(err, fs.ErrNotExist) {
		return Found{}, false, nil
	}
	return Found{OS: SONiC, Why: "/etc/sonic"}, err == nil, err
}

// cumulus goes by lsb-release, which Cumulus Linux has always had, or by os-release.
func cumulus(root fs.FS) (Found, bool, error) {
	for _, f := range []struct{ file, name, version string }{
		{"etc/lsb-release", "DISTRIB_ID", "DISTRIB_RELEASE"},
		{"etc/os-release", "ID", "VERSION_ID"},
	} {
		raw, _, err := read(root, f.file)
		if err != nil {
			return Found{}, false, err
		}
		if strings.HasPrefix(strings.ToLower(value(raw, f.name, "=")), "cumulus") {
			return Found{Cumulus, value(raw, f.version, "="), "/" + f.file}, true, nil
		}
	}
	return Found{}, false, nil
}

func read(root fs.FS, file string) (raw []byte, there bool, err error) {
	raw, err = fs.ReadFile(root, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("tell which network OS this is: %w", err)
	}
	return raw, true, nil
}

// value is that of the line "name=value" or "name: value", without its quotes.
func value(raw []byte, name, separator string) string {
	for line := range bytes.Lines(raw) {
		key, v, ok := strings.Cut(string(line), separator)
		if ok && strings.TrimSpace(key) == name {
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}
