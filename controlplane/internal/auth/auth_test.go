package auth

import (
	"strings"
	"testing"
)

func TestCheckListen(t *testing.T) {
	for _, c := range []struct {
		address  string
		insecure bool
		ok       bool
	}{
		{"127.0.0.1:7443", false, true},
		{"127.8.9.1:0", false, true},
		{"[::1]:7443", false, true},
		{"localhost:7443", false, true},
		{"0.0.0.0:7443", false, false},
		{":7443", false, false},
		{"[::]:7443", false, false},
		{"10.0.0.1:7443", false, false},
		{"[::ffff:10.0.0.1]:7443", false, false},
		{"example.org:7443", false, false},
		{"0.0.0.0:7443", true, true},
		{"7443", true, false},
	} {
		err := CheckListen("--listen", c.address, c.insecure)
		if (err == nil) != c.ok {
			t.Errorf("CheckListen(%q, insecure %v): %v", c.address, c.insecure, err)
		}
		if err != nil && !strings.Contains(err.Error(), "--listen") {
			t.Errorf("error %q does not name the flag", err)
		}
	}
}

func TestCaller(t *testing.T) {
	if got := FromContext(t.Context()); got != Local {
		t.Errorf("without authentication the caller is %v", got)
	}
	alice := Caller{Name: "alice"}
	if got := FromContext(NewContext(t.Context(), alice)); got != alice {
		t.Errorf("caller is %v, want %v", got, alice)
	}
}
