package uml

import "testing"

func TestMapsAccounts(t *testing.T) {
	for text, want := range map[string]bool{
		"         0          0 4294967295\n":                                   true,  // no user namespace
		"         0       1000          1\n":                                   false, // unshare --map-root-user
		"         0       1000          1\n         1     100000      65535\n": true,  // with --map-auto
		"         0     100000        115\n":                                   false,
		"         0     100000        116\n":                                   true,
		"         1     100000      65535\n":                                   false,
		"":                                                                     false,
		"garbage\n":                                                            false,
	} {
		if got := mapsAccounts(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
