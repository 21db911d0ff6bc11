package debroot

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHostMirrors(t *testing.T) {
	for name, tc := range map[string]struct {
		files          map[string]string
		main, security string
	}{
		"none":          {nil, defaultMirror, defaultSecurity},
		"one line":      {map[string]string{"sources.list": "# deb http://old/debian x\ndeb [arch=amd64] http://mirror.example/debian/ bookworm main\n"}, "http://mirror.example/debian", defaultSecurity},
		"deb822":        {map[string]string{"sources.list.d/debian.sources": "Types: deb\nURIs: https://m.example/debian\n\nURIs: https://m.example/debian-security\n"}, "https://m.example/debian", "https://m.example/debian-security"},
		"Ubuntu":        {map[string]string{"sources.list": "deb http://archive.ubuntu.com/ubuntu noble main\n"}, defaultMirror, defaultSecurity},
		"another vault": {map[string]string{"sources.list.d/x.list": "deb https://packages.example/apt stable main\n"}, defaultMirror, defaultSecurity},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range tc.files {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			main, security := hostMirrors(dir)
			if main != tc.main || security != tc.security {
				t.Errorf("mirrors %s and %s, want %s and %s", main, security, tc.main, tc.security)
			}
		})
	}
}

func TestInstalled(t *testing.T) {
	got := installed([]byte("NOTE: This is only a simulation!\nInst libc6 (2.36-9 Debian:12.11/stable [amd64])\nConf libc6 (2.36-9)\nInst frr (8.4.4)\n"))
	if diff := cmp.Diff([]string{"libc6", "frr"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUsrMerged(t *testing.T) {
	for name, want := range map[string]string{
		"./": ".", "./bin/sh": "usr/bin/sh", "./lib": "usr/lib", "./lib64/ld.so": "usr/lib64/ld.so", "./library/x": "library/x",
		"./usr/bin/x": "usr/bin/x", "/sbin/ip": "usr/sbin/ip", "./var/run/x": "run/x", "./etc/frr": "etc/frr",
	} {
		if got := usrMerged(name); got != want {
			t.Errorf("usrMerged(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestExtractStaysInside(t *testing.T) {
	for _, header := range []*tar.Header{
		{Name: "../outside", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "./etc/../../outside", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "./hard", Linkname: "../outside", Typeflag: tar.TypeLink},
	} {
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		err := Extract(t.TempDir(), tar.NewReader(&archive), ofPackage)
		if err == nil || !strings.Contains(err.Error(), "outside") {
			t.Errorf("%s: error %v", header.Name, err)
		}
	}
}

// TestUnpackedPlaces: Debian 13 has links where Debian 12 has directories, and what is made already must stay.
func TestUnpackedPlaces(t *testing.T) {
	for name, want := range map[string]string{"./bin": "", "./lib64/": "", "./": "", "./usr/share/doc/frr/README": "", "./bin/sh": "usr/bin/sh", "./usr/bin/": "usr/bin"} {
		if got, wanted := ofPackage(name); wanted != (want != "") || wanted && got != want {
			t.Errorf("%s goes to %q, %v; want %q", name, got, wanted, want)
		}
	}
}

// TestKeys: a root that is in users' caches must not be made anew by chance.
func TestKeys(t *testing.T) {
	if Debian12.Key() == Debian13.Key() || Debian13.Name == Unstable.Name {
		t.Error("two roots have one name")
	}
	other := Debian13
	other.Packages = append([]string{"jq"}, other.Packages...)
	if other.Key() == Debian13.Key() {
		t.Error("other packages, the same key")
	}
}
