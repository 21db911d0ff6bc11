package interfaces

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const installed = `# as installed
source /etc/network/interfaces.d/*.intf

auto lo
iface lo inet loopback

auto eth0
iface eth0 inet dhcp
	vrf mgmt
    # inside
	post-up echo $IFACE is \
	   up
`

var stanzas2 = []Stanza{
	{"lo", "auto lo\niface lo inet loopback\n    address 10.255.0.11/32\n"},
	{"swp1", "auto swp1\niface swp1\n    mtu 9216\n"},
}

func TestParse(t *testing.T) {
	f, err := Parse(installed + Begin + "\nauto swp7\niface swp7\n" + End + "\nauto swp[1-2] swp9\nallow-hotplug usb0\niface swp[1-2].100\n\tlink_speed 25000\niface eth1:1 inet static\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{2, "source", []string{"/etc/network/interfaces.d/*.intf"}, nil},
		{4, "auto", []string{"lo"}, nil},
		{5, "iface", []string{"lo"}, nil},
		{7, "auto", []string{"eth0"}, nil},
		{8, "iface", []string{"eth0"}, []Attribute{{9, "vrf", "mgmt"}, {11, "post-up", "echo eth0 is up"}}},
		{17, "auto", []string{"swp1", "swp2", "swp9"}, nil},
		{18, "allow-hotplug", []string{"usb0"}, nil},
		{19, "iface", []string{"swp1.100", "swp2.100"}, []Attribute{{20, "link-speed", "25000"}}},
		{21, "iface", []string{"eth1"}, nil},
	}
	if diff := cmp.Diff(want, f.Foreign); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"swp7"}, f.Names()); diff != "" {
		t.Error(diff)
	}
}

// What ifupdown2 would complain of, or read otherwise than it looks, is not touched.
func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a word that is no keyword":          {"auto lo\ninterface lo\n", "line 2: "},
		"an attribute without an iface":      {"mtu 9216\n", "line 1: "},
		"an attribute without a value":       {"iface swp1\n  mtu\n", `line 2: attribute "mtu" has no value`},
		"iface without a name":               {"iface\n", "line 1: "},
		"auto without a name":                {"\n\nauto\n", "line 3: "},
		"allow without a class":              {"allow swp1\n", "line 1: "},
		"source without a file":              {"source\n", "line 1: "},
		"another address family":             {"iface swp1 inet5 static\n", `address family "inet5"`},
		"another method":                     {"iface swp1 inet magic\n", `method "magic"`},
		"a backslash at the end":             {"iface swp1\n  alias x \\\n\n", "ends with a backslash"},
		"a backslash at the end of a remark": {"# C:\\\n", "ends with a backslash"},
		"a beginning without an end":         {Begin + "\nauto swp1\n", "line 1: the agent's stanzas begin and do not end"},
		"an end without a beginning":         {End + "\n", "line 1: a mark"},
		"two beginnings":                     {Begin + "\n" + Begin + "\n" + End + "\n", "line 2: a mark"},
		"two blocks":                         {Begin + "\n" + End + "\n" + Begin + "\n" + End + "\n", "line 3: a mark"},
		"a mark that a backslash takes in":   {"# remark \\\n" + Begin + "\n" + End + "\n", "a mark"},
		"an attribute behind our stanzas":    {Begin + "\nauto swp1\niface swp1\n" + End + "\n  mtu 1500\n", "line 5: "},
		"white space that is none":           {"iface swp1\n  mtu\u00a09216\n", "line 2: "},
		"no text":                            {"auto \xff\n", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// A template is ifupdown2's to render: what is not understood in it is left alone.
func TestTemplate(t *testing.T) {
	f, err := Parse("% for i in range(1, 4):\nauto swp${i}\niface swp${i}\n  mtu 9216\n% endfor\n")
	if err != nil || !f.Template {
		t.Fatal(f.Template, err)
	}
}

func TestDiffersAndWith(t *testing.T) {
	f, err := Parse(installed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"lo", "swp1"}, f.Differs(stanzas2)); diff != "" {
		t.Error(diff)
	}
	text := f.With(stanzas2)
	if !strings.HasPrefix(text, installed) {
		t.Errorf("what was there has changed:\n%s", text)
	}
	again, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := again.Differs(stanzas2); len(d) > 0 {
		t.Errorf("what was just written differs in %q:\n%s", d, text)
	}
	if again.With(stanzas2) != text {
		t.Errorf("written twice, it is another:\n%s", again.With(stanzas2))
	}
	for name, edit := range map[string]struct{ old, new string }{
		"swp1": {"mtu 9216", "mtu 1500"}, "lo": {"    address 10.255.0.11/32\n", ""}, "swp9": {"auto swp1\n", "auto swp9\niface swp9\nauto swp1\n"}, "": {"\nauto lo\niface lo inet loopback\n    address", "\n  mtu 7\nauto lo\niface lo inet loopback\n    address"},
	} {
		edited, err := Parse(strings.Replace(text, edit.old, edit.new, 1))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{name}, edited.Differs(stanzas2)); diff != "" {
			t.Errorf("after an edit of %q (-want +got):\n%s", name, diff)
		}
		if edited.With(stanzas2) != text {
			t.Errorf("an edit of %q is not set right:\n%s", name, edited.With(stanzas2))
		}
	}
}

// FuzzParse: whatever a file holds, either it is refused, or the agent's stanzas come into it and nothing else changes.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "\n", installed, installed + Begin + "\n" + End + "\n", Begin + "\nauto swp1\niface swp1\n  mtu 1\n" + End + "\nauto x\niface x\n", "auto lo", "iface a\r\n mtu 1\r",
		"# x \\\ny\n", "a\\\n\\b\n", "% if x:\n", "iface swp[1-3]\n alias a\\b\n", "auto lo\n\\\niface lo\n", "iface a inet\n b c",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(text)
		if err != nil {
			return
		}
		written := file.With(stanzas2)
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%q\n%q", err, text, written)
		}
		if d := again.Differs(stanzas2); len(d) > 0 {
			t.Fatalf("what was written differs in %q\n%q\n%q", d, text, written)
		}
		if again.before != file.before && again.before != file.before+"\n" || again.after != file.after {
			t.Fatalf("what is foreign has changed: %q %q, was %q %q", again.before, again.after, file.before, file.after)
		}
		if len(again.Foreign) != len(file.Foreign) {
			t.Fatalf("foreign entries were %v, are %v", file.Foreign, again.Foreign)
		}
		for i, e := range file.Foreign {
			if got := again.Foreign[i]; got.Keyword != e.Keyword || !cmp.Equal(got.Names, e.Names) || len(got.Attributes) != len(e.Attributes) {
				t.Fatalf("a foreign entry was %v, is %v", e, got)
			}
		}
	})
}
