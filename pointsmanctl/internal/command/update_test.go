package command

import (
	"encoding/json"
	"strings"
	"testing"
)

// version is the resourceVersion that a command with -o json shows.
func (s *server) version(t *testing.T, line string) string {
	t.Helper()
	var m struct{ ResourceVersion string }
	if err := json.Unmarshal([]byte(s.must(t, line+" -o json").out), &m); err != nil || m.ResourceVersion == "" {
		t.Fatalf("%s: %+v %v", line, m, err)
	}
	return m.ResourceVersion
}

// TestUpdate: what is given changes, and only that; an update for an older version is refused.
func TestUpdate(t *testing.T) {
	s := ready(t)
	s.must(t, "allocate --network blue --machine machine01 --id web1 --wait")
	s.must(t, "ip allocate --network blue --address 10.64.1.5")
	for _, c := range []struct{ get, update, want string }{
		{"network get blue", "network update blue --description 'the web' --label owner=web --label tier=1", "labels owner=web,tier=1 description the web"},
		{"network get blue", "network update blue --label owner=shop --remove-label tier", "labels owner=shop description the web"},
		{"network get blue", "network update blue --announceable 10.244.0.0/16:26", "announceable 10.244.0.0/16:26 labels owner=shop description the web"},
		{"network get blue", "network update blue --no-announceable --description ''", "labels owner=shop"},
		{"machine get machine01", "machine update machine01 --label owner=web --description old", "labels owner=web description old"},
		{"machine get machine01", "machine update machine01 --remove-label owner", "description old"},
		{"ip get 10.64.1.5 --network blue", "ip update 10.64.1.5 --network blue --description mail", "description mail"},
		{"allocation get web1", "allocation update web1 --description front", "description front"},
		{"switch get spine01", "switch update spine01 --mtu 9000 --description 'in the corner'", "mtu 9000 description in the corner"},
	} {
		before := s.version(t, c.get)
		s.must(t, c.update+" --resource-version "+before)
		shown := s.must(t, c.get).out
		var facts []string
		for _, l := range strings.Split(shown, "\n") {
			name, value, _ := strings.Cut(l, " ")
			switch name {
			case "announceable", "labels", "description", "mtu":
				facts = append(facts, name+" "+strings.TrimSpace(value))
			}
		}
		if got := strings.Join(facts, " "); got != c.want {
			t.Errorf("after %s it has %q, want %q", c.update, got, c.want)
		}
		r := s.ctl(t.Context(), words(c.update+" --resource-version "+before)...)
		if r.code != exitFailure || !strings.Contains(r.err, "resource_version: it was changed meanwhile; read it again") {
			t.Errorf("%s for an older version: %+v", c.update, r)
		}
	}
	r := s.ctl(t.Context(), words("move web1 --network blue --resource-version "+s.version(t, "network get blue"))...)
	if r.code != exitFailure || !strings.Contains(r.err, "resource_version") {
		t.Errorf("a move for another version: %+v", r)
	}
	if r := s.ctl(t.Context(), words("machine update machine01 --label owner=web --remove-label owner")...); r.code != exitUsage || !strings.Contains(r.err, `both name "owner"`) {
		t.Errorf("%+v", r)
	}
	if r := s.ctl(t.Context(), words("machine update machine01 --label Owner=web")...); r.code != exitFailure || !strings.Contains(r.err, "labels") {
		t.Errorf("%+v", r)
	}
}

// TestLabelsOfTwoAtOnce: who changes labels without a version loses nothing of what others change at the same time.
func TestLabelsOfTwoAtOnce(t *testing.T) {
	s := startServer(t)
	s.must(t, "machine adopt --id machine01 --chassis-mac 02:00:5e:10:01:00 --label first=1")
	all := []string{"a", "b", "c"}
	done := make(chan result)
	for _, key := range all {
		go func() { done <- s.ctl(t.Context(), "machine", "update", "machine01", "--label", key+"=1") }()
	}
	for range all {
		if r := <-done; r.code != exitOK {
			t.Error(r.err)
		}
	}
	if r := s.must(t, "machine get machine01"); !strings.Contains(r.out, "a=1,b=1,c=1,first=1") {
		t.Error(r.out)
	}
}
