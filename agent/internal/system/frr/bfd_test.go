package frr

import "testing"

func TestStrictBFD(t *testing.T) {
	for version, want := range map[string]bool{
		"8.4.4": false, "9.1": false, "10.1.2": false, "10.2": true, "10.2.2_git": true, "10.2.3": false, "10.3": true, "10.3.0": true,
		"10.3-sonic": true, "10.3.1": false, "10.4-dev": false, "10.4.1": false, "11.2": false, "": false, "10": false, "master": false,
	} {
		if got := strictBFD(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
